"""What the codes of carriers mean, whichever provider passed them on; for staff."""

from notifications.providers import aliyun_codes, callbacks, tencent_codes

# Where two providers write the same code, carriers mean the same by it.
CARRIER_WORDS: dict[str, str] = {
    code: words
    for table in (tencent_codes.RECEIPT_WORDS, aliyun_codes.RECEIPT_CODES, callbacks.RECEIPT_CODES)
    for code, words in table.items()
    if words
}
