"""What Aliyun SMS answers and reports, as tables: code to outcome and words for staff."""

from typing import Any

from customers.msgid import _
from notifications.providers.base import Outcome, unknown_code
from notifications.providers.closing import Closing
from notifications.providers.http import HttpAnswer
from notifications.providers.json_values import text_of
from notifications.providers.resting import Rest
from notifications.providers.verdicts import (
    CONTRADICTION,
    REDIRECT,
    SERVER_ERROR,
    STATUSES,
    UNREADABLE,
    Verdict,
)

_ACCOUNT = Outcome.REFUSED_ACCOUNT
_CONTENT = Outcome.REFUSED_CONTENT
_LATER = Outcome.REFUSED_LATER
_NUMBER = Outcome.REFUSED_NUMBER
_UNKNOWN = Outcome.UNKNOWN

NO_BALANCE = _("The Aliyun account has no balance left. Top it up, then resume the account here.")
NOT_OPENED = _("SMS is not switched on for this Aliyun account. Open it in the console, then resume the account.")
ABNORMAL = _("Aliyun has closed or restricted this account. Ask its support, then resume the account here.")
WRONG_KEY = _("Aliyun does not know this AccessKey ID, or it is disabled. Enter a valid key.")
WRONG_SECRET = _("The AccessKey secret does not belong to this key ID. Enter both again.")
NO_RIGHT = _("This AccessKey may not send SMS. Give its RAM user the right AliyunDysmsFullAccess.")
WRONG_CLOCK = _(
    "Aliyun says that the clock of this server is wrong by more than 15 minutes."
    " Set it by NTP, then resume the account."
)
WRONG_PLACE = _("Aliyun takes calls only from servers in mainland China; this one stands elsewhere.")
WRONG_ENDPOINT = _("There is no SMS service at this endpoint. Check endpoint and region of the account.")
BAD_TEMPLATE = _("Aliyun does not know this registered text, or has not approved it.")
BAD_SIGNATURE = _("Aliyun does not know this signature, or has not approved it for this use.")
BAD_CONTENT = _("Aliyun does not allow this text.")
BAD_PARAMETERS = _("The parameters do not fit the registered text.")
TOO_LONG_PARAMETER = _("A value is too long for a parameter of a registered text.")
LINK_IN_PARAMETER = _("A value holds a link; Aliyun allows links in the registered text alone.")
FORBIDDEN_WORD = _("A value holds a word that Aliyun forbids.")
BAD_NUMBER = _("Not a valid number")
OPTED_OUT = _("The customer has opted out at Aliyun")
THROTTLED = _("Aliyun limits the rate of calls; it is tried again.")
NUMBER_LIMIT = _("Aliyun limits the messages to this number; it is tried again later.")
MINUTE_LIMIT = _("Aliyun takes no more for this number in this minute.")
HOUR_LIMIT = _("Aliyun takes no more for this number in this hour.")
DAY_LIMIT = _("Aliyun takes no more for this number within 24 hours.")
SHOP_LIMIT = _("The daily or monthly limit that is set in the Aliyun console is reached. Raise it there.")
SYSTEM_ERROR = _("Aliyun had an internal error; it may have taken the message.")
REPLAYED = _("Aliyun has seen this very call before; the first one may have been taken.")

CODES = {
    "isv.MOBILE_NUMBER_ILLEGAL": (_NUMBER, BAD_NUMBER),
    "isv.DOMESTIC_NUMBER_NOT_SUPPORTED": (_CONTENT, _("This registered text is for numbers outside mainland China.")),
    "isv.CUSTOMER_REFUSED": (_NUMBER, OPTED_OUT),
    "isv.SMS_TEMPLATE_ILLEGAL": (_CONTENT, BAD_TEMPLATE),
    "isv.SMS_SIGNATURE_ILLEGAL": (_CONTENT, BAD_SIGNATURE),
    "isv.SMS_SIGNATURE_SCENE_ILLEGAL": (_CONTENT, BAD_SIGNATURE),
    "isv.SIGN_STATE_ILLEGAL": (_CONTENT, BAD_SIGNATURE),
    "isv.SMS_SIGN_ILLEGAL": (_CONTENT, BAD_SIGNATURE),
    "isv.SIGN_NAME_ILLEGAL": (_CONTENT, BAD_SIGNATURE),
    "SIGNATURE_BLACKLIST": (_CONTENT, BAD_SIGNATURE),
    "isv.SMS_CONTENT_ILLEGAL": (_CONTENT, BAD_CONTENT),
    "isv.SMS_CONTENT_MISMATCH_TEMPLATE_TYPE": (_CONTENT, BAD_CONTENT),
    "isv.TEMPLATE_MISSING_PARAMETERS": (_CONTENT, BAD_PARAMETERS),
    "isv.TEMPLATE_PARAMS_ILLEGAL": (_CONTENT, BAD_PARAMETERS),
    "isv.INVALID_JSON_PARAM": (_CONTENT, BAD_PARAMETERS),
    "isv.INVALID_PARAMETERS": (_CONTENT, BAD_PARAMETERS),
    "isv.PARAM_LENGTH_LIMIT": (_CONTENT, TOO_LONG_PARAMETER),
    "isv.PARAM_NOT_SUPPORT_URL": (_CONTENT, LINK_IN_PARAMETER),
    "isv.BLACK_KEY_CONTROL_LIMIT": (_CONTENT, FORBIDDEN_WORD),
    "isv.EXTEND_CODE_ERROR": (_CONTENT, _("Aliyun does not take this sub-number for this signature.")),
    "isv.MOBILE_COUNT_OVER_LIMIT": (_CONTENT, _("Aliyun takes fewer numbers in one call.")),
    "isv.INTERFACE_OFFLINE": (_CONTENT, _("Aliyun has withdrawn this call.")),
    "isv.OUT_OF_SERVICE": (_ACCOUNT, NO_BALANCE),
    "isv.AMOUNT_NOT_ENOUGH": (_ACCOUNT, NO_BALANCE),
    "isv.PRODUCT_UN_SUBSCRIPT": (_ACCOUNT, NOT_OPENED),
    "isv.PRODUCT_UNSUBSCRIBE": (_ACCOUNT, NOT_OPENED),
    "isv.ACCOUNT_NOT_EXISTS": (_ACCOUNT, ABNORMAL),
    "isv.ACCOUNT_ABNORMAL": (_ACCOUNT, ABNORMAL),
    "isp.RAM_PERMISSION_DENY": (_ACCOUNT, NO_RIGHT),
    "NoPermission": (_ACCOUNT, NO_RIGHT),
    "Forbidden.RAM": (_ACCOUNT, NO_RIGHT),
    "isv.DENY_IP_RANGE": (_ACCOUNT, WRONG_PLACE),
    "SignatureDoesNotMatch": (_ACCOUNT, WRONG_SECRET),
    "IncompleteSignature": (_ACCOUNT, WRONG_SECRET),
    "InvalidAccessKeyId.NotFound": (_ACCOUNT, WRONG_KEY),
    "InvalidAccessKeyId.Inactive": (_ACCOUNT, WRONG_KEY),
    "InvalidTimeStamp.Expired": (_ACCOUNT, WRONG_CLOCK),
    "InvalidTimeStamp.Format": (_ACCOUNT, WRONG_CLOCK),
    "InvalidAction.NotFound": (_ACCOUNT, WRONG_ENDPOINT),
    "InvalidVersion": (_ACCOUNT, WRONG_ENDPOINT),
    "Throttling": (_LATER, THROTTLED),
    "Throttling.User": (_LATER, THROTTLED),
    "Throttling.Api": (_LATER, THROTTLED),
    "isv.BUSINESS_LIMIT_CONTROL": (_LATER, NUMBER_LIMIT),
    "isv.DAY_LIMIT_CONTROL": (_LATER, SHOP_LIMIT),
    "isv.MONTH_LIMIT_CONTROL": (_LATER, SHOP_LIMIT),
    "isp.SYSTEM_ERROR": (_UNKNOWN, SYSTEM_ERROR),
    "isp.GATEWAY_ERROR": (_UNKNOWN, SYSTEM_ERROR),
    "InternalError": (_UNKNOWN, SYSTEM_ERROR),
    "ServiceUnavailable": (_UNKNOWN, SYSTEM_ERROR),
    # A layer between us and Aliyun sent the same bytes twice: what became of the first copy is not said.
    "SignatureNonceUsed": (_UNKNOWN, REPLAYED),
}
# The gateway in front of Aliyun's services names the parameter, product or user within the code.
FAMILIES = {
    "Missing": (_CONTENT, BAD_PARAMETERS),
    "Throttling.": (_LATER, THROTTLED),
    "InvalidAccessKeyId.": (_ACCOUNT, WRONG_KEY),
    "Forbidden": (_ACCOUNT, NO_RIGHT),
}

# One code answers a whole call, but here one number or one person's values are to blame.
ONE_NUMBERS_FAULT = {"isv.MOBILE_NUMBER_ILLEGAL", "isv.CUSTOMER_REFUSED", "isv.BUSINESS_LIMIT_CONTROL"}
ONE_PERSONS_VALUES = {
    "isv.TEMPLATE_MISSING_PARAMETERS", "isv.TEMPLATE_PARAMS_ILLEGAL", "isv.INVALID_JSON_PARAM",
    "isv.PARAM_LENGTH_LIMIT", "isv.PARAM_NOT_SUPPORT_URL", "isv.BLACK_KEY_CONTROL_LIMIT",
}  # fmt: skip

# The message of BUSINESS_LIMIT_CONTROL names the window: 触发天级流控Permits:50.
LIMIT_WINDOWS = {"分钟级": MINUTE_LIMIT, "小时级": HOUR_LIMIT, "天级": DAY_LIMIT}

GONE_CODES = {
    "isv.SMS_TEMPLATE_ILLEGAL", "isv.TEMPLATE_NOT_EXIST", "isv.SMS_SIGNATURE_ILLEGAL", "isv.SMS_SIGN_ILLEGAL",
    "isv.SIGN_NOT_EXIST", "isv.SIGN_NAME_ILLEGAL", "isv.DATA_NOT_EXIST",
}  # fmt: skip

NO_SUCH_NUMBER = _("The number does not exist")
SWITCHED_OFF = _("The phone was switched off or out of reach")
BLOCKED = _("The carrier or the phone blocked the message")
LIMITED = _("The carrier limits the messages to this number")

RECEIPT_CODES = {
    "DELIVERED": "",
    "DELIVRD": "",
    "PORT_NOT_REGISTERED": _("The signature is not registered with this carrier yet"),
    "MK:0001": NO_SUCH_NUMBER,
    "UNDELIV": SWITCHED_OFF,
    "EXPIRED": _("The carrier gave up after several tries"),
    "REJECTD": BLOCKED,
    "USER_REJECT": OPTED_OUT,
    "BLACK_LIST": _("The number is on a carrier's blacklist"),
    "MOBILE_NOT_ON_SERVICE": _("The number is out of service"),
    "MOBILE_TERMINAL_ERROR": SWITCHED_OFF,
    "MOBILE_SEND_LIMIT": LIMITED,
    "CONTENT_KEYWORD": _("The carrier blocked a word of the text"),
    "CONTENT_ERROR": BLOCKED,
    "NO_ROUTE": _("The carrier found no way to this number"),
}
# Only what documents name without a doubt: a wrong guess would close a good number for ever.
CLOSING_CODES = {
    "MK:0001": Closing.DEAD,
    "USER_REJECT": Closing.OPTED_OUT,
    "BLACK_LIST": Closing.OPTED_OUT,
    "isv.CUSTOMER_REFUSED": Closing.OPTED_OUT,
}

RESTING_CODES = {"isv.DAY_LIMIT_CONTROL": Rest.ACCOUNT, "isv.MONTH_LIMIT_CONTROL": Rest.ACCOUNT}


def verdict_of(answer: HttpAnswer, document: dict[str, Any]) -> Verdict:
    """
    What an answer means for its whole call.

    A code of the tables decides, but not against a 5xx, behind which anything can have happened;
    an unknown code falls into the class of the HTTP status, and without one the call is unknown.
    """
    code, said = text_of(document.get("Code")), text_of(document.get("Message"))
    if answer.status >= 500:
        words = CODES.get(code, (None, unknown_code(code, said)))[1] if code else SERVER_ERROR
        return Outcome.UNKNOWN, code or f"http_{answer.status}", words
    if 300 <= answer.status < 400:
        return Outcome.UNKNOWN, f"http_{answer.status}", REDIRECT
    if code == "OK":
        return (Outcome.TAKEN, "", "") if answer.status < 300 else (Outcome.UNKNOWN, code, CONTRADICTION)
    if code == "isv.BUSINESS_LIMIT_CONTROL":
        words = next((words for window, words in LIMIT_WINDOWS.items() if window in said), NUMBER_LIMIT)
        return Outcome.REFUSED_LATER, code, words
    family = next((found for start, found in FAMILIES.items() if code.startswith(start)), None)
    if known := CODES.get(code, family):
        return known[0], code, known[1]
    outcome, words = STATUSES.get(answer.status, (Outcome.UNKNOWN, UNREADABLE))
    if code:
        return outcome, code, unknown_code(code, said)
    return outcome, f"http_{answer.status}" if answer.status >= 400 else "unreadable_answer", words


def receipt_words(code: str, said: str) -> str:
    """Words for the code of a message that did not arrive."""
    return RECEIPT_CODES.get(code) or unknown_code(code, said)
