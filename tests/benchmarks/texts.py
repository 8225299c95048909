"""The text that every way sends."""

BODY = '{{ name or "顾客" }}您好,双十二全场八折,满三百再减三十,欢迎到店选购。'
SIGNATURE = "鸿雁花店"
OPT_OUT = "拒收请回复R"
WHOLE_TEXT = f"【{SIGNATURE}】{BODY}{OPT_OUT}"
# The same in the language of Django's templates, which post_office speaks.
DJANGO_TEXT = f"【{SIGNATURE}】" + BODY.replace('name or "顾客"', 'name|default:"顾客"') + OPT_OUT
