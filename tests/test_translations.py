"""Nobody who reads Chinese meets an English sentence."""

from pathlib import Path

import polib
import pytest
import unfold
from django.utils import translation

from tests import translations


def test_every_text_of_ours_has_a_chinese_translation():
    assert translations.gaps() == []


def test_the_compiled_catalog_is_the_one_that_was_written():
    written = {(e.msgctxt, e.msgid): e.msgstr for e in polib.pofile(str(translations.CATALOG)) if e.msgstr}
    compiled = {
        (e.msgctxt, e.msgid): e.msgstr for e in polib.mofile(str(translations.CATALOG.with_suffix(".mo"))) if e.msgstr
    }

    assert compiled == written


def test_placeholders_survive_the_translation():
    wrong = [
        entry.msgid
        for entry in polib.pofile(str(translations.CATALOG))
        if sorted(translations.placeholders(entry.msgid_plural or entry.msgid))
        != sorted(translations.placeholders(entry.msgstr_plural.get(0, "") if entry.msgid_plural else entry.msgstr))
    ]

    assert wrong == []


def test_the_theme_speaks_chinese_too():
    with translation.override("zh-hans"):
        english = [
            f"{place}: {msgid}"
            for (context, msgid, _plural), place in translations.used(Path(unfold.__path__[0]) / "templates").items()
            if context is None and translation.gettext(msgid) == msgid
        ]

    assert english == []


@pytest.mark.parametrize(("header", "title"), [("zh-CN,zh;q=0.9", "登录"), ("en-US,en;q=0.8", "Log in"), ("", "登录")])
def test_the_browser_decides_the_language_and_chinese_is_the_rest(client, db, header, title):
    page = client.get("/admin/login/", headers={"accept-language": header} if header else {})

    assert title in page.content.decode()
