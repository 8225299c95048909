"""Why a whole file is refused, each time with what to do about it."""

from customers.msgid import _


class Unreadable(Exception):
    """A file that cannot be imported; `message` is an English msgid, `values` fill it in."""

    def __init__(self, code: str, message: str, values: dict | None = None):
        super().__init__(code, message, values)
        self.code = code
        self.message = message
        self.values = values or {}

    def __str__(self) -> str:
        return self.message % self.values if self.values else self.message


def refusal(code: str, **values: object) -> Unreadable:
    """Build the exception for one of the sentences below."""
    return Unreadable(code, SENTENCES[code], values)


SENTENCES: dict[str, str] = {
    "missing": _("The file is no longer there; upload it again."),
    "empty": _("The file is empty; export it again and check that it opens in Excel or WPS."),
    "no_rows": _("The file has column names but no rows below them; export it again with the customers included."),
    "too_big": _("The file is larger than %(limit)s MB; split it into several files."),
    "damaged": _(
        "The file is damaged or was cut off; download or export it again, and check that it opens in Excel or WPS."
    ),
    "damaged_csv": _(
        "Line %(line)s cannot be read as a table row; open the file in Excel or WPS and save it as .xlsx."
    ),
    "encrypted": _(
        "The workbook is protected by a password; open it, remove the password, save it, and upload it again."
    ),
    "bomb": _("The file unpacks to far more than a customer list; copy the rows into a new workbook and upload that."),
    "doctype": _("The workbook holds dangerous definitions; copy the rows into a new workbook and upload that."),
    "far_cell": _(
        "Cell %(cell)s lies far away from the table; "
        "delete the empty rows and columns around the table, save, and upload it again."
    ),
    "rows_lost": _(
        "Only %(read)s of %(written)s rows could be read; copy the rows into a new workbook and upload that."
    ),
    "formulas": _(
        "The workbook holds formulas without stored results; open it in Excel or WPS, save it, and upload it again."
    ),
    "no_sheet": _("The workbook has no visible sheet with a table; unhide the sheet with the customers and save it."),
    "old_excel": _("This is an Excel file of the early nineties; open it and save it as .xlsx."),
    "binary_excel": _("This is a binary workbook (.xlsb); open it and save it as .xlsx."),
    "html": _(
        "This is a web page without a table, even if its name says otherwise; "
        "export the list again as .xlsx or .csv, or open it in Excel or WPS and save it as .xlsx."
    ),
    "page_encoding": _(
        "The characters of this web page cannot be read; open it in Excel or WPS and save it as .xlsx."
    ),
    "pdf": _("This is a PDF, not a spreadsheet; export the list as .xlsx or .csv instead."),
    "picture": _("This is a picture, not a spreadsheet; export the list as .xlsx or .csv instead."),
    "archive": _("This is a compressed archive; unpack it and upload the spreadsheet inside."),
    "document": _(
        "This is a text document or presentation, not a spreadsheet; export the list as .xlsx or .csv instead."
    ),
    "not_a_table": _("This is not a spreadsheet; upload a file in the format .xlsx or .csv."),
    "encoding": _(
        "Line %(line)s holds characters that are neither UTF-8 nor GB18030; "
        "open the file in Excel or WPS and save it as .xlsx."
    ),
    "cut_off": _("The file ends in the middle of a character: it was cut off; download or export it again."),
    "open_quote": _(
        "A quotation mark opened in line %(line)s is never closed, so the rows after it run together; "
        "close or delete it, or save the file as .xlsx."
    ),
    "swallowed_rows": _(
        "A quotation mark in line %(line)s swallows the rows after it; close or delete it, or save the file as .xlsx."
    ),
    "long_line": _("Line %(line)s is too long for a table row; open the file in Excel or WPS and save it as .xlsx."),
    "no_header": _(
        "No row with column names was found; "
        "put a row such as “Name, Phone, Birthday” on top and upload the file again."
    ),
    "no_contact_column": _(
        "No column with phone numbers or e-mail addresses was found among: %(headers)s. "
        "Name the column “Phone” or choose it yourself."
    ),
    "no_contacts": _(
        "None of the %(rows)s rows holds a phone number or an e-mail address that can be used; "
        "export a list that shows them in full."
    ),
    "taobao_orders": _(
        "This is an order export of Taobao or Tmall without phone numbers of buyers; "
        "import it as orders, and your member list as customers."
    ),
    "no_order_column": _(
        "No column with order numbers was found among: %(headers)s. "
        "Name the column “Order number” or choose it yourself."
    ),
    "no_orders": _(
        "None of the %(rows)s rows holds an order number that can be used; "
        "format the column as text in the original file and export it again."
    ),
    "pinduoduo_orders": _(
        "This is an order export of Pinduoduo, which holds no phone numbers of buyers; "
        "import your member list instead."
    ),
}
