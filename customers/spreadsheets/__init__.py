"""Reads the spreadsheets that shops hold: bytes to rows, rows to customers, without Django and without a database.

`reader.open_sheet` gives rows, `layouts.guess` says which column is what, `rows.interpret` makes customers of them,
and `report` writes down what became of each row. A file that cannot be read is refused by `faults.Unreadable`.
"""
