"""What the sandbox gateway does with a number: everything is delivered, except for magic numbers."""

from typing import NamedTuple

from customers.msgid import _

# No sample file and no made-up number of this product has this prefix; theirs continue with 0000.
MAGIC_PREFIX = "1999999"
# Satellite phones, all of them out of reach: for crowds of which not everybody can be delivered to.
OUT_OF_REACH_PREFIX = "1740599"
LONGEST_TEXT = 1000


class Rule(NamedTuple):
    """How a message fares: accepted or not, what the answer says, and which receipts follow."""

    words: str
    # The outcome in the ledger, or empty if the message is refused and never enters it.
    ledger: str = "delivered"
    # The class and code in the answer.
    outcome: str = "taken"
    code: str = "ok"
    # Receipts as (status, code, seconds after the usual delay); the answer to a query is the first.
    receipts: tuple[tuple[str, str, float], ...] = (("delivered", "", 0.0),)
    # What happens to the answer of the whole call: "", drop, error, cut or slow.
    fault: str = ""
    is_left_out: bool = False
    is_early: bool = False


def refused(words: str, outcome: str, code: str) -> Rule:
    """A rule for a message that is not accepted."""
    return Rule(words, ledger="", outcome=outcome, code=code, receipts=())


DELIVERED = Rule(_("Accepted and delivered"))
BAD_NUMBER = refused(_("Refused: not a valid number"), "refused_number", "invalid_number")
NO_TEXT = refused(_("Refused: the text is empty"), "refused_content", "empty_text")
TEXT_TOO_LONG = refused(_("Refused: the text is too long"), "refused_content", "text_too_long")

MAGIC = {
    "0001": BAD_NUMBER,
    "0002": Rule(_("Accepted, then not delivered"), ledger="undelivered", receipts=(("undelivered", "absent", 0.0),)),
    "0003": Rule(_("Accepted, and never a receipt"), ledger="accepted", receipts=()),
    "0004": refused(_("Refused for now: too many at once"), "refused_later", "throttled"),
    "0005": refused(_("Refused: the account has no balance left"), "refused_account", "no_balance"),
    "0006": refused(_("Refused: text or signature not allowed"), "refused_content", "content_refused"),
    "0007": Rule(_("Accepted, then the connection drops without an answer"), fault="drop"),
    "0008": Rule(_("Accepted, then answered with error 500"), fault="error"),
    "0009": Rule(_("Accepted, but left out of the answer"), is_left_out=True),
    "0010": Rule(
        _("Delivered; the receipt comes before the answer and once more later"),
        is_early=True,
    ),
    "0011": Rule(
        _("Delivered; two seconds later a receipt says the opposite"),
        receipts=(("delivered", "", 0.0), ("undelivered", "absent", 2.0)),
    ),
    "0012": Rule(_("Accepted, then the answer takes 15 seconds"), fault="slow"),
    "0013": Rule(_("Accepted, then the answer breaks off in the middle"), fault="cut"),
    "0014": refused(_("Refused for now with a code that nobody knows"), "refused_later", "E-4711"),
    "0015": Rule(
        _("Accepted, then a receipt that nobody can read"),
        ledger="accepted",
        receipts=(("melted", "E-4712", 0.0),),
    ),
    "0016": Rule(
        _("Accepted, then not delivered with a code that nobody knows"),
        ledger="undelivered",
        receipts=(("undelivered", "E-4713", 0.0),),
    ),
}


def rule_for(number: str, text: str) -> Rule:
    """The rule for one message."""
    if number[-11:-4] == MAGIC_PREFIX:
        rule = MAGIC.get(number[-4:])
        if rule is not None:
            return rule
    if number[-11:-4] == OUT_OF_REACH_PREFIX:
        return MAGIC["0002"]
    digits = number.removeprefix("+")
    if not (digits.isascii() and digits.isdigit() and 5 <= len(digits) <= 20):
        return BAD_NUMBER
    if not text.strip():
        return NO_TEXT
    return DELIVERED if len(text) <= LONGEST_TEXT else TEXT_TOO_LONG
