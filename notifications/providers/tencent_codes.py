"""What the codes of Tencent Cloud SMS mean for a message, and the words for staff."""

from customers.msgid import _
from notifications.providers.base import Outcome, unknown_code
from notifications.providers.callbacks import RECEIPT_CODES
from notifications.providers.closing import Closing
from notifications.providers.resting import Rest
from notifications.providers.verdicts import UNREADABLE, Verdict

# Codes of ours, for receipts whose meaning only their description tells.
OPTED_OUT = "opted_out"
BLACKLISTED = "blacklisted"
NO_SUCH_NUMBER = "no_such_number"

CLOSING_CODES = {
    # Said of those who replied R, TD, T or N and of a carrier's list alike: both end marketing to the number.
    "FailedOperation.PhoneNumberInBlacklist": Closing.OPTED_OUT,
    OPTED_OUT: Closing.OPTED_OUT,
    BLACKLISTED: Closing.OPTED_OUT,
    "InvalidParameterValue.IncorrectPhoneNumber": Closing.DEAD,
    "FailedOperation.PhoneNumberParseFail": Closing.DEAD,
    NO_SUCH_NUMBER: Closing.DEAD,
}

RESTING_CODES = {
    "FailedOperation.MarketingSendTimeConstraint": Rest.MARKETING_HOURS,
    "LimitExceeded.AppDailyLimit": Rest.ACCOUNT,
    "LimitExceeded.AppMainlandChinaDailyLimit": Rest.ACCOUNT,
    "LimitExceeded.AppGlobalDailyLimit": Rest.ACCOUNT,
    "LimitExceeded.DailyLimit": Rest.ACCOUNT,
}

# Nobody in the batch is to blame, and the next call would be answered the same.
CAMPAIGN_WIDE = (
    (
        _("Tencent Cloud sends marketing from 8:00 to 22:00 only; it is tried again"),
        ("FailedOperation.MarketingSendTimeConstraint",),
    ),
    (
        _("The daily limit of this application at Tencent Cloud is used up; raise it in the SMS console"),
        (
            "LimitExceeded.AppDailyLimit",
            "LimitExceeded.AppMainlandChinaDailyLimit",
            "LimitExceeded.AppGlobalDailyLimit",
            "LimitExceeded.DailyLimit",
        ),
    ),
    (
        _("The gateway limits the rate; it is tried again"),
        (
            "RequestLimitExceeded",
            "RequestLimitExceeded.GlobalRegionUinLimitExceeded",
            "RequestLimitExceeded.IPLimitExceeded",
            "RequestLimitExceeded.UinLimitExceeded",
            "AuthFailure.RequestLimitExceeded",
            "LimitExceeded.GlobalSmsSendingRateLimit",
        ),
    ),
)

# Template or signature: whatever the values, every further call would be refused too.
OF_THE_TEXT = (
    (
        _("Tencent Cloud has not approved this template; look at its state in the SMS console"),
        (
            "FailedOperation.TemplateUnapprovedOrNotExist",
            "FailedOperation.TemplateIdNotExist",
            "FailedOperation.MissingTemplateList",
        ),
    ),
    (
        _("Tencent Cloud has not approved this signature; look at its state in the SMS console"),
        (
            "FailedOperation.SignatureIncorrectOrUnapproved",
            "FailedOperation.MissingSignature",
            "FailedOperation.MissingSignatureList",
            "FailedOperation.SignIdNotExist",
        ),
    ),
    (
        _("The parameters do not fit the approved template; register the text again"),
        ("FailedOperation.TemplateParamSetNotMatchApprovedTemplate",),
    ),
    (
        # Our numbers are all of the mainland: the first refusal of this kind speaks for every number.
        _("This template is for numbers outside the mainland; register the text for the mainland"),
        (
            "UnsupportedOperation.GlobalTemplateToChineseMainlandPhone",
            "UnsupportedOperation.ContainDomesticPhoneNumber",
        ),
    ),
    (
        _("Tencent Cloud did not take the numbers of this call"),
        (
            "LimitExceeded.PhoneNumberCountLimit",
            "MissingParameter.EmptyPhoneNumberSet",
            "UnsupportedOperation.ContainDomesticAndInternationalPhoneNumber",
        ),
    ),
)

# Said of texts that are not approved and of values that make another text of an approved one.
TEXT_OR_VALUES = "FailedOperation.TemplateIncorrectOrUnapproved"

# A customer's own values are refused; those of the others may pass.
OF_THE_VALUES = (
    (
        _("Tencent Cloud has not approved this template, or the parameters make another text of it"),
        (TEXT_OR_VALUES,),
    ),
    (
        _("The text holds a word that Tencent Cloud does not let through"),
        ("FailedOperation.ContainSensitiveWord", "InvalidParameter.DirtyWordFound"),
    ),
    (
        _("A parameter holds a link; links have to stand in the template itself"),
        ("InvalidParameterValue.ProhibitedUseUrlInTemplateParameter",),
    ),
    (
        _("A parameter is not of the form that its template asks for"),
        ("InvalidParameterValue.TemplateParameterFormatError",),
    ),
    (
        _("A parameter is longer than Tencent Cloud allows; the SMS console shows how long it may be"),
        ("InvalidParameterValue.TemplateParameterLengthLimit",),
    ),
    (
        _("The text is too long for the gateway"),
        ("InvalidParameterValue.ContentLengthLimit",),
    ),
    (
        _("Tencent Cloud could not read the call; look for unusual characters in the text and its values"),
        (
            "FailedOperation.FailResolvePacket",
            "FailedOperation.JsonParseFail",
            "InvalidParameter",
            "InvalidParameter.InvalidParameters",
            "MissingParameter",
            "UnknownParameter",
        ),
    ),
)

# Answers to texts that are handed in for approval.
OF_THE_REGISTRATION = (
    (
        _("Marketing at Tencent Cloud has to end with the opt-out wording 拒收请回复R"),
        ("InvalidParameterValue.MarketingTemplateWithoutUnsubscribe",),
    ),
    (
        _("The text is no template of Tencent Cloud; two parameters may not stand side by side"),
        ("InvalidParameterValue.InvalidTemplateFormat",),
    ),
    (
        _("The text holds a word that Tencent Cloud does not let through"),
        ("InvalidParameterValue.TemplateWithDirtyWords",),
    ),
    (
        _("Tencent Cloud allows this account no parameters in notices and marketing"),
        ("InvalidParameterValue.UnsupportedTemplateVariable",),
    ),
    (
        _("The account has as many templates as it may have; delete unused ones in the SMS console"),
        ("FailedOperation.TemplateNumberLimit",),
    ),
)

OF_THE_NUMBER = (
    (
        _("The number is on the do-not-disturb list of Tencent Cloud or its carrier, often because it opted out"),
        ("FailedOperation.PhoneNumberInBlacklist",),
    ),
    (
        _("Not a valid number"),
        ("InvalidParameterValue.IncorrectPhoneNumber", "FailedOperation.PhoneNumberParseFail"),
    ),
    (
        _("Tencent Cloud sends nothing to the region of this number"),
        (
            "UnsupportedOperation.ChineseMainlandTemplateToGlobalPhone",
            "UnsupportedOperation.UnsupportedRegion",
            "LimitExceeded.AppCountryOrRegionInBlacklist",
            "LimitExceeded.AppCountryOrRegionDailyLimit",
        ),
    ),
)

LIMITS_OF_THE_NUMBER = (
    (
        _("The gateway limits the messages to this number; it is tried again"),
        (
            "LimitExceeded.PhoneNumberThirtySecondLimit",
            "LimitExceeded.PhoneNumberOneHourLimit",
            "LimitExceeded.PhoneNumberDailyLimit",
            "LimitExceeded.PhoneNumberSameContentDailyLimit",
            "LimitExceeded.DeliveryFrequencyLimit",
        ),
    ),
)

OF_THE_ACCOUNT = (
    (
        _("The SMS package at Tencent Cloud is used up; buy a new one"),
        ("FailedOperation.InsufficientBalanceInSmsPackage",),
    ),
    (
        _("Tencent Cloud has suspended the service because of arrears; top up the account"),
        ("UnauthorizedOperation.ServiceSuspendDueToArrears",),
    ),
    (
        _("Tencent Cloud does not know this SecretId; copy it anew, without spaces"),
        ("AuthFailure.SecretIdNotFound", "AuthFailure.InvalidSecretId"),
    ),
    (
        _("The SecretKey does not belong to the SecretId; enter it again"),
        (
            "AuthFailure.SignatureFailure",
            "AuthFailure.InvalidAuthorization",
            "InternalError.SigFieldMissing",
            "InternalError.SigVerificationFail",
        ),
    ),
    (
        _("The clock of this server is off by more than five minutes; let it follow a time server"),
        ("AuthFailure.SignatureExpire", "InternalError.RequestTimeException"),
    ),
    (
        _("The key may not use SMS; give its user the policy QcloudSMSFullAccess"),
        (
            "AuthFailure.UnauthorizedOperation",
            "UnauthorizedOperation",
            "UnauthorizedOperation.RequestPermissionDeny",
            "FailedOperation.ProhibitSubAccountUse",
        ),
    ),
    (
        _("The key may not be used from the address of this server; list it at Tencent Cloud"),
        ("UnauthorizedOperation.RequestIpNotInWhitelist", "IpNotInWhitelist", "IpInBlacklist"),
    ),
    (
        _("The SdkAppId does not belong to this key, or is switched off; look it up in the SMS console"),
        (
            "InvalidParameterValue.SdkAppIdNotExist",
            "UnauthorizedOperation.SdkAppIdIsDisabled",
            "UnauthorizedOperation.SmsSdkAppIdVerifyFail",
            "InvalidParameter.AppidAndBizId",
        ),
    ),
    (
        _("Tencent Cloud lets only accounts of companies do this; change the verification of the account"),
        (
            "UnauthorizedOperation.IndividualUserMarketingSmsPermissionDeny",
            "FailedOperation.ForbidAddMarketingTemplates",
            "FailedOperation.NotEnterpriseCertification",
        ),
    ),
    (
        _("Tencent Cloud has no SMS in this region; enter ap-guangzhou, ap-beijing or ap-nanjing"),
        ("UnsupportedRegion",),
    ),
    (
        _("There is no Tencent Cloud SMS at this address; enter https://sms.tencentcloudapi.com"),
        ("InvalidAction", "NoSuchProduct", "NoSuchVersion", "InternalError.RestApiInterfaceNotExist"),
    ),
)

IN_DOUBT = (
    (
        _("Tencent Cloud failed in the middle of the call; it may have taken the message"),
        (
            "InternalError",
            "InternalError.Timeout",
            "InternalError.SendAndRecvFail",
            "InternalError.OtherError",
            "InternalError.UnknownError",
            "InternalError.ParseBackendResponseFail",
            "InternalError.JsonParseFail",
            "FailedOperation.OtherError",
            "FailedOperation.ParametersOtherError",
            "ServiceUnavailable",
        ),
    ),
)

CODES = {
    code: (outcome, words)
    for outcome, groups in (
        (Outcome.REFUSED_LATER, CAMPAIGN_WIDE),
        (Outcome.REFUSED_LATER, LIMITS_OF_THE_NUMBER),
        (Outcome.REFUSED_CONTENT, OF_THE_TEXT),
        (Outcome.REFUSED_CONTENT, OF_THE_VALUES),
        (Outcome.REFUSED_CONTENT, OF_THE_REGISTRATION),
        (Outcome.REFUSED_NUMBER, OF_THE_NUMBER),
        (Outcome.REFUSED_ACCOUNT, OF_THE_ACCOUNT),
        (Outcome.UNKNOWN, IN_DOUBT),
    )
    for words, codes in groups
    for code in codes
}
# New sub-codes appear without notice; these families say enough about them.
FAMILIES = {
    "AuthFailure": Outcome.REFUSED_ACCOUNT,
    "UnauthorizedOperation": Outcome.REFUSED_ACCOUNT,
    "RequestLimitExceeded": Outcome.REFUSED_LATER,
    "InternalError": Outcome.UNKNOWN,
}
_CAMPAIGN_WIDE_CODES = frozenset(code for _words, codes in CAMPAIGN_WIDE for code in codes)
_NUMBER_CODES = frozenset(code for _words, codes in (*OF_THE_NUMBER, *LIMITS_OF_THE_NUMBER) for code in codes)
_TEXT_CODES = frozenset(code for _words, codes in OF_THE_TEXT for code in codes)


def verdict_of(code: str, provider_words: str = "") -> Verdict:
    """What a refusal means: the table decides, then the family of the code; else the message may have been taken."""
    if not code:
        return Outcome.UNKNOWN, "unreadable_answer", UNREADABLE
    if code in CODES:
        outcome, words = CODES[code]
        return outcome, code, words
    outcome = FAMILIES.get(code.partition(".")[0], Outcome.UNKNOWN)
    return outcome, code, unknown_code(code, provider_words)


def is_campaign_wide(outcome: Outcome, code: str) -> bool:
    """Whether no number is to blame for a refusal, though it came with one."""
    return outcome is Outcome.REFUSED_ACCOUNT or code in _CAMPAIGN_WIDE_CODES


def is_of_one_number(code: str) -> bool:
    """Whether one number of a call is to blame for a refusal."""
    return code in _NUMBER_CODES


def is_of_the_text(code: str) -> bool:
    """Whether template or signature is refused, whatever the values in it."""
    return code in _TEXT_CODES


RECEIPT_WORDS = {
    "002": RECEIPT_CODES["absent"],
    "UNDELIV": RECEIPT_CODES["absent"],
    "EXPIRED": RECEIPT_CODES["expired"],
    "DELETED": RECEIPT_CODES["full"],
    "REJECTD": RECEIPT_CODES["blocked"],
    "-106": _("The carrier blocked a word of the message"),
    NO_SUCH_NUMBER: RECEIPT_CODES["no_such_number"],
    OPTED_OUT: _("The customer has opted out at Tencent Cloud"),
    BLACKLISTED: _("The number is on a carrier's blacklist"),
}
