"""The starter texts of the gallery, in Chinese and English, one file each."""

from functools import cache

from django.utils.translation import gettext_lazy as _

from notifications.services.starter_texts import FOLDER, StarterText, read

LANGUAGES = {"zh-hans": _("Chinese"), "en": _("English")}
ENDINGS = {"zh-hans": "", "en": "_english"}


@cache
def text_of(name: str, language: str) -> StarterText:
    """The text by this name in one of LANGUAGES; raises KeyError, FileNotFoundError and what `read` raises."""
    return read(FOLDER / "reminders" / f"{name}{ENDINGS[language]}.txt")
