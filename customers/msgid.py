"""Marks English texts of the pure modules for translation without translating them."""


def _(text: str) -> str:
    """Return the text unchanged; whoever shows it translates it."""
    return text
