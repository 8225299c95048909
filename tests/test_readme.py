"""What the READMEs say is there: the tests they name, the pages they lead to, the pictures they show."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PAGES = [ROOT / "README.md", ROOT / "README.zh-CN.md", *sorted((ROOT / "docs").glob("*.md"))]
PICTURES = ROOT / "docs" / "images"
LARGEST_PICTURE = 200_000

pages = pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)


@pages
def test_every_test_that_a_page_names_exists(page):
    sources = "\n".join(file.read_text() for file in (ROOT / "tests").rglob("test_*.py"))
    known = set(re.findall(r"^def (test_\w+)", sources, flags=re.MULTILINE))

    assert set(re.findall(r"`(test_\w+)`", page.read_text())) <= known


@pages
def test_every_link_to_a_file_leads_somewhere(page):
    text = page.read_text()
    named = re.findall(r"\]\(([^)#:]+)\)", text) + re.findall(r'src="([^":]+)"', text)

    assert [name for name in named if not (page.parent / name).exists()] == []


@pages
def test_every_make_target_that_a_page_names_exists(page):
    targets = set(re.findall(r"^(\w+):", (ROOT / "Makefile").read_text(), flags=re.MULTILINE))

    assert set(re.findall(r"(?:^|`)make (\w+)", page.read_text(), flags=re.MULTILINE)) <= targets


def test_every_picture_is_small_and_shown():
    shown = "".join(page.read_text() for page in PAGES)
    pictures = list(PICTURES.glob("*"))

    assert pictures
    assert [picture.name for picture in pictures if picture.stat().st_size > LARGEST_PICTURE] == []
    assert [picture.name for picture in pictures if picture.name not in shown] == []


def test_both_languages_tell_the_same():
    english, chinese = (page.read_text() for page in PAGES[:2])

    assert re.findall(r"`(test_\w+)`", english) == re.findall(r"`(test_\w+)`", chinese)
    assert english.count("\n## ") == chinese.count("\n## ")
    assert english.count("```") == chinese.count("```")
