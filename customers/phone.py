"""Normalizes and validates phone numbers of mainland China; pure."""

import math
import re
import unicodedata
from typing import NamedTuple

from customers.msgid import _


class Phone(NamedTuple):
    """Eleven digits that can be texted, or the reason why there are none."""

    number: str | None
    reason: str


REMEDIES: dict[str, tuple[str, str]] = {
    "empty": (
        _("No phone number"),
        _("Fill in the mobile number, or reach this customer another way."),
    ),
    "masked": (
        _("The number is hidden by asterisks"),
        _("Export the list again with full numbers, or ask the customer for the number."),
    ),
    "virtual_extension": (
        _("A virtual number with an extension"),
        _("The platform's privacy number stops working soon after the order; ask the customer for the real one."),
    ),
    "encrypted": (
        _("The number is encrypted by the platform"),
        _("Decrypt the numbers in the platform's back office before exporting, or use your member list."),
    ),
    "scientific_lossy": (
        _("Digits were lost to scientific notation"),
        _("Format the column as text in the original file and export it again; the digits cannot be guessed."),
    ),
    "wrong_length": (
        _("Not eleven digits long"),
        _("Compare with the original and correct the number."),
    ),
    "bad_prefix": (
        _("No mobile numbers begin like this"),
        _("Compare with the original and correct the number."),
    ),
    "landline": (
        _("A landline number"),
        _("Text messages need a mobile number; fill in one."),
    ),
    "service_number": (
        _("A service number"),
        _("Text messages need a customer's own mobile number; fill in one."),
    ),
    "not_mainland": (
        _("A number outside mainland China"),
        _("Only mainland mobile numbers can be texted; reach this customer by e-mail."),
    ),
    "several_numbers": (
        _("More than one number in the cell"),
        _("The first mobile number is used; keep one number in each cell."),
    ),
    "formula": (
        _("A formula without a stored result"),
        _("Open the file in Excel or WPS, save it, and upload it again."),
    ),
    "text": (
        _("Not a phone number"),
        _("Replace the text with the number, or choose another column."),
    ),
}

# Words that stand for "nothing" in the exports of shops, compared in lower case.
EMPTY_WORDS = frozenset(
    {"", "-", "--", "—", "——", "–", "?", "？", "/", "\\", "\\n", "null", "(null)", "none", "nil", "nan", "n/a", "#n/a"}
    | {"na", "无", "空", "暂无", "没有", "未填", "未填写", "未知", "不详", "undefined"}
)

# Prefixes as published; 149 (data cards) takes text messages although libphonenumber denies it,
# 1749 (satellite) and 17406 to 17412 (emergency) do not.
MOBILE = (
    r"(?:13[0-9]|14[579]|15[0-35-9]|16[2567]|17[0-35-8]|18[0-9]|19[0-35-9])[0-9]{8}"
    r"|1740[0-5][0-9]{6}"
)

_is_mobile = re.compile(MOBILE).fullmatch
_dressed = re.compile(rf"[\t']?(?:\+?86|0086)?[ -]?({MOBILE})(?:\.0+)?[\t ]*").fullmatch
# Armor against spreadsheets, zero-width marks, directions of writing, control characters.
_INVISIBLE = re.compile(r"[\x00-\x08\x0e-\x1f\x7f-\x9f\u00ad\u180e\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff]")
_ARMOR = re.compile(r'="?([^"]*)"')
_LABEL = re.compile(r"(?:手机号码|手机号|手机|联系电话|联系手机|电话号码|电话|mobile|phone|cell|tel)\s*[:.]?\s*", re.I)
# The marks of Douyin and Pinduoduo, names of ciphers, base64 and hexadecimal; a word of letters alone is none.
_ENCRYPTED = re.compile(
    r"(?:##|\$\$|~).*|[#$].*[A-Za-z].*[#$]|(?i:enc|aes|cipher|encrypt(?:ed)?|加密)\s*[(:{].*|加密|已加密"
    r"|(?=.*[A-Za-z])(?=.*[0-9])[A-Za-z0-9+/=_-]{20,}"
    r"|(?=.*[a-z])(?=.*[A-Z])(?=.*[0-9])[A-Za-z0-9+/_-]{14,}={0,2}|(?=.*[0-9])(?=.*[A-Za-z])[A-Za-z0-9+/]{10,}={1,2}",
    re.S,
)
_MASK = re.compile(
    r"\*|•|●|○|■|□|·{2,}|(?<=[0-9])[xX×]{2,}|^[xX]{7,}|(?<=[0-9])[-#_.~?…]{3,}(?=[0-9])|^1[0-9]{2}…[0-9]{4}$"
)
_DIGIT = re.compile("[0-9]")
_WORD = re.compile(r"[^\W_xX]")
_SCIENTIFIC = re.compile(r"([0-9])(?:\.([0-9]+))?[eE]\+?([0-9]{1,3})")
_GROUPED = re.compile(r"[0-9]{1,3}(?:,[0-9]{3}){3}")
# What people write behind their own number.
_REMARK = re.compile(r"\s*\(\s*(?:同?微信(?:同号|号)?|同微信号?|vx|wx|本人|自己|移动|联通|电信|手机)\s*\)$", re.I)
_CALLED_VIRTUAL = re.compile(r"\(\s*(?:虚拟|隐私|中间)号?码?\s*\)$")
_DECIMAL = re.compile(r"(\+?[0-9]+)\.0*")
_EXTENSION = re.compile(
    r"(?:\+?86|0086)?[ -]*0?(1[3-9](?:[ -]?[0-9]){9})"
    r"\s*(?:转接?|分机号?|虚拟号|隐私号|extension|ext\.?|x|[-—–,，_#;:/*\[(【 ])+\s*[0-9]{1,6}\s*[\])】]*",
    re.I,
)
_EXTENSION_IN_FRONT = re.compile(r"[\[(【][0-9]{3,6}[\])】]\s*1[3-9][0-9]{9}")
_WITHIN = re.compile(r"(?<![0-9])(?:\+?86|0086)?[ -]?(1[3-9](?:[ -]?[0-9]){9})(?![0-9])")
# A second number of any kind: mobile, or a landline with its area code.
_BETWEEN = r"[\s,，、;；/|\\&+和或及]|(?:(?<=[0-9])-(?=1[3-9][0-9]{9}(?![0-9])))"
_SEVERAL = re.compile(
    rf"(?<![0-9])1[3-9][0-9]{{9}}(?![0-9]).*?(?<![0-9])1[3-9][0-9]{{9}}(?![0-9])"
    rf"|(?<![0-9])1[3-9][0-9]{{9}}(?:{_BETWEEN})+\(?0[0-9]{{2,3}}\)?[ -]?[0-9]{{7,8}}"
    rf"|\(?0[0-9]{{2,3}}\)?[ -]?[0-9]{{7,8}}(?:{_BETWEEN})+1[3-9][0-9]{{9}}(?![0-9])",
    re.S,
)
_SEPARATORS = re.compile(r"[\s().·/_‐‑‒–—−-]+")
_DIGITS = re.compile(r"\+?[0-9]+")
_LANDLINE = re.compile(r"0(?:10|2[0-9]|[3-9][0-9]{2})[1-9][0-9]{6,11}|[2-8][0-9]{6,7}")
_AREA_CODE_APART = re.compile(r"\(?0(?:10|2[0-9]|[3-9][0-9]{2})\)?[ -]*[1-9][0-9]{6,7}(?:\s*(?:-|转|#|,)\s*[0-9]+)?")
_SERVICE = re.compile(r"[48]00[0-9]{7}|9[56][0-9]{3,6}|100[0-9]{2,3}|1[12][0-9]{1,3}|106[0-9]{5,}|12[0-9]{3}")
_NEIGHBOR = re.compile(r"85[23][0-9]{8}|886[0-9]{8,9}|09[0-9]{8}")


def normalize(raw: object) -> Phone:
    """Turn a cell into the eleven digits of a mainland mobile number, or say why it is none."""
    if isinstance(raw, str):
        if _is_mobile(raw):
            return Phone(raw, "")
        dressed = _dressed(raw)
        return Phone(dressed[1], "") if dressed else _from_text(raw)
    if raw is None:
        return Phone(None, "empty")
    if isinstance(raw, bool) or not isinstance(raw, (int, float)):
        return Phone(None, "text")
    if isinstance(raw, float):
        if math.isnan(raw):
            return Phone(None, "empty")
        if not raw.is_integer() or abs(raw) >= 1e15:
            return Phone(None, "wrong_length")
        raw = int(raw)
    digits = str(raw)
    return Phone(digits, "") if _is_mobile(digits) else _from_text(digits)


def first_usable(raw: object) -> Phone:
    """The first mobile number in a cell that holds several, or the reason why there is none."""
    text = unicodedata.normalize("NFKC", str(raw)[:200])
    for match in _WITHIN.finditer(text):
        found = normalize(match[1])
        if found.number:
            return found
    return Phone(None, "several_numbers")


def mask(number: str) -> str:
    """Hide the middle of a number for people who need not know it: 138****8000."""
    return f"{number[:3]}****{number[-4:]}" if len(number) >= 8 else "****"


def _from_text(raw: str) -> Phone:
    text = _INVISIBLE.sub("", unicodedata.normalize("NFKC", raw[:200])).strip()
    armored = _ARMOR.fullmatch(text)
    if armored:
        text = armored[1].strip()
    text = text.strip("'’‘`\"").strip()
    if text.lower() in EMPTY_WORDS:
        return Phone(None, "empty")
    text = _LABEL.sub("", text, count=1) if _LABEL.match(text) else text
    text = _REMARK.sub("", text).strip(" ,;、。")
    text = text.replace(",", "") if _GROUPED.fullmatch(text) else text
    reason = _unreadable(text)
    if reason:
        return Phone(None, reason)
    scientific = _SCIENTIFIC.fullmatch(text)
    if scientific:
        whole, decimals, exponent = scientific[1], scientific[2] or "", int(scientific[3])
        # Only a mantissa that shows every digit of the number has lost none.
        if len(decimals) != exponent:
            return Phone(None, "scientific_lossy")
        text = whole + decimals
    decimal = _DECIMAL.fullmatch(text)
    digits = decimal[1] if decimal else _SEPARATORS.sub("", text)
    if not _DIGITS.fullmatch(digits):
        return Phone(None, "text")
    return _from_digits(digits)


def _unreadable(text: str) -> str:
    """Name what hides the number although the cell is not empty."""
    if text.startswith("="):
        return "formula"
    if _SEVERAL.search(text):
        return "several_numbers"
    if _EXTENSION.fullmatch(text) or _EXTENSION_IN_FRONT.fullmatch(text) or _CALLED_VIRTUAL.search(text):
        return "virtual_extension"
    if _ENCRYPTED.fullmatch(text):
        return "encrypted"
    if _MASK.search(text) and (_DIGIT.search(text) or not _WORD.search(text)):
        return "masked"
    if _AREA_CODE_APART.fullmatch(text):
        return "landline" if not _is_mobile(_SEPARATORS.sub("", text).removeprefix("0")) else ""
    return ""


def _from_digits(digits: str) -> Phone:
    foreign = False
    if digits.startswith("+"):
        digits = digits[1:]
        foreign = not digits.startswith("86")
        digits = digits.removeprefix("86")
    elif digits.startswith("00"):
        digits = digits[2:]
        # No country code begins with a zero.
        foreign = not digits.startswith(("86", "0")) and len(digits) >= 8
        digits = digits.removeprefix("86")
    elif digits.startswith("86") and len(digits) >= 13:
        digits = digits[2:]
    if foreign:
        return Phone(None, "not_mainland")
    number = digits[1:] if len(digits) == 12 and digits.startswith("01") else digits
    if _is_mobile(number):
        return Phone(number, "")
    if _NEIGHBOR.fullmatch(digits):
        return Phone(None, "not_mainland")
    if _SERVICE.fullmatch(digits):
        return Phone(None, "service_number")
    if _LANDLINE.fullmatch(digits):
        return Phone(None, "landline")
    return Phone(None, "wrong_length" if len(number) != 11 else "bad_prefix")
