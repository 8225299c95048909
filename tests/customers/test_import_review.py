"""The review page of an import: what is listed, what may be chosen, and what never becomes consent."""

import re

import pytest
from django.urls import reverse

from customers import jobs
from customers.choices import ImportStatus
from customers.models import Consent, Customer, LayoutMemory, SpreadsheetImport
from customers.services import import_layouts, import_options
from tests import staff
from tests.customers.files import SAMPLES, table, uploaded

HEAD = ["姓名", "手机号", "标签", "短信同意"]
ANSWERS = ["是", "否", "", "Y", "已退订", "口头说好", "N", "0", "口头说好", "同意"]


@pytest.fixture(autouse=True)
def uploads(settings, tmp_path):
    """A directory of the test's own for uploaded files."""
    settings.UPLOADS = tmp_path / "uploads"


@pytest.fixture
def clerk(db, empty_queue):
    """The browser of a clerk."""
    import_layouts.install_bundled()
    return staff.signed_in("clerk")


def asked(answers=ANSWERS) -> SpreadsheetImport:
    """A clerk's file in which customers answered in many ways."""
    rows = [
        {"姓名": f"客{place}", "手机号": f"138000001{place:02d}", "标签": "老客", "短信同意": answer}
        for place, answer in enumerate(answers)
    ]
    return uploaded(table(*rows, head=HEAD), by=staff.User.objects.get(username="clerk"))


def page(browser, file: SpreadsheetImport) -> str:
    """The page of an import, as text."""
    response = browser.get(reverse("admin:customers_spreadsheetimport_change", args=[file.pk]))
    assert response.status_code == 200
    return response.content.decode()


def press(browser, file: SpreadsheetImport, action: str = "check", **changes) -> str:
    """Press a button of the review page with the form as it stands."""
    form = {f"column-{column['index']}": column["field"] or "" for column in file.mapping}
    address = reverse("admin:customers_spreadsheetimport_review", args=[file.pk])
    shown = browser.post(address, {**form, "action": action, **changes}, follow=True).content.decode()
    file.refresh_from_db()
    return shown


def answer_of(file: SpreadsheetImport, word: str) -> dict:
    """How an answer of the file is taken."""
    return next(answer for answer in file.preview["answers"] if answer["word"] == word)


def test_every_answer_is_listed_with_what_it_is_taken_for(clerk):
    file = asked()

    shown = page(clerk, file)

    assert {answer["word"]: answer["meaning"] for answer in file.preview["answers"]} == {
        "是": "yes", "否": "no", "": "unknown", "y": "yes", "已退订": "opt_out",
        "口头说好": "unknown", "n": "no", "0": "no", "同意": "yes",
    }  # fmt: skip
    assert answer_of(file, "口头说好")["count"] == 2
    assert "An empty cell" in shown
    assert "is never consent" in shown
    assert "Please check" in shown


def test_staff_say_what_an_unclear_answer_means(clerk):
    file = asked()

    press(clerk, file, **{"answer:口头说好": "yes", "answer:同意": "no"})

    assert file.options["consent_words"] == {"口头说好": "yes", "同意": "no"}
    assert answer_of(file, "口头说好")["meaning"] == "yes"
    press(clerk, file, action="import")
    jobs.run_imports()
    granted = Consent.objects.filter(status="granted", channel="sms", purpose="marketing")
    assert granted.count() == 4
    assert LayoutMemory.objects.get(layout_key=file.layout_key).options["consent_words"] == {
        "口头说好": "yes",
        "同意": "no",
    }


@pytest.mark.parametrize("word", ["否", "n", "0", "已退订"])
def test_a_refusal_is_never_taken_for_consent_whatever_the_form_says(clerk, word):
    file = asked()

    shown = press(clerk, file, **{f"answer:{word}": "yes"})

    assert "is never consent" in shown
    assert file.options.get("consent_words", {}).get(word) != "yes"
    assert answer_of(file, word)["meaning"] != "yes"
    select = re.search(rf'name="answer:{word}".*?</select>', page(clerk, file), re.S)[0]
    assert 'value="yes"' not in select


def test_an_empty_cell_is_never_consent(clerk):
    file = asked()

    press(clerk, file, **{"answer:": "yes"})

    assert "" not in file.options["consent_words"]
    assert answer_of(file, "")["meaning"] == "unknown"
    assert 'name="answer:"' not in page(clerk, file)


def test_what_a_layout_calls_consent_is_never_a_refusal():
    layout = import_layouts.layouts.Layout("own-1", "x", ("a", "b"), {}, consent_words={"否": "yes", "行": "yes"})

    settled = import_options.settle({}, layout=layout, remembered={"consent_words": {"0": "yes"}}, kind="customers")

    assert settled["consent_words"] == {"否": "no", "行": "yes", "0": "no"}


def test_the_answers_of_last_time_hold_for_the_next_file_and_are_shown(clerk):
    file = asked()
    press(clerk, file, **{"answer:口头说好": "yes"})
    press(clerk, file, action="import", clear_word="清空")
    press(clerk, file, action="import")
    jobs.run_imports()

    later = asked()

    assert answer_of(later, "口头说好")["meaning"] == "yes"
    assert later.options["clear_word"] == ""


def test_the_choices_of_the_page_are_kept_with_the_file(clerk):
    file = asked()

    shown = press(clerk, file, action="import", key="phone", tags="replace", clear_word=" 清空 ")

    assert "You changed something" in shown
    assert file.status == ImportStatus.UPLOADED
    assert {name: file.options[name] for name in ("key", "tags", "clear_word")} == {
        "key": "phone",
        "tags": "replace",
        "clear_word": "清空",
    }
    press(clerk, file, action="import", key="phone", tags="replace", clear_word="清空")
    assert file.status == ImportStatus.QUEUED


@pytest.mark.parametrize(
    ("choice", "sentence"),
    [
        ({"key": "email"}, "No column is read as “E-mail address”"),
        ({"key": "id"}, "no longer fits"),
        ({"tags": "drop"}, "no longer fits"),
        ({"day_order": "year_first"}, "no longer fits"),
        ({"answer:是": "always"}, "no longer fits"),
        ({"clear_word": "x" * 50}, "too long"),
        ({"kind": "suppliers"}, "customers or orders"),
    ],
)
def test_a_choice_that_does_not_exist_is_refused_and_nothing_kept(clerk, choice, sentence):
    file = asked()
    before = file.options

    assert sentence in press(clerk, file, action="import", **choice)
    assert (file.status, file.options, file.kind) == (ImportStatus.UPLOADED, before, "customers")
    assert Customer.objects.count() == 0


def test_answers_that_the_file_does_not_hold_are_not_kept(clerk):
    file = asked()

    press(clerk, file, **{"answer:whatever": "yes", "consent_words": "{}", "options": "{}"})

    assert "whatever" not in file.options["consent_words"]


def test_only_who_uploaded_a_file_changes_and_starts_it(clerk):
    file = asked()
    marketer = staff.signed_in("marketer")
    before = (file.options, file.mapping)

    shown = page(marketer, file)
    refused = press(marketer, file, action="import", key="phone")
    marketer.post(reverse("admin:customers_spreadsheetimport_discard", args=[file.pk]))
    marketer.post(reverse("admin:customers_spreadsheetimport_layout", args=[file.pk]), {"layout_name": "x"})

    file.refresh_from_db()
    assert "only that person or an administrator" in shown
    assert "only that person or an administrator" in refused
    assert 'value="import"' not in shown
    assert (file.status, (file.options, file.mapping)) == (ImportStatus.UPLOADED, before)
    press(staff.signed_in("superuser"), file, action="import")
    assert file.status == ImportStatus.QUEUED


def test_dates_that_can_be_read_in_two_ways_are_asked_for(clerk):
    rows = [{"手机号": f"1380000020{place}", "生日": f"{place + 1}/3/1990"} for place in range(8)]
    file = uploaded(table(*rows, head=["手机号", "生日"]), by=staff.User.objects.get(username="clerk"))

    shown = page(clerk, file)

    assert "Nobody can tell day from month" in shown
    assert "the day comes first: 1/3/1990 is March 1, 1990" in shown
    assert "the month comes first: 1/3/1990 is Jan. 3, 1990" in shown
    press(clerk, file, day_order="day_first")
    assert file.options["day_order"] == "day_first"
    assert 'value="day_first" checked' in page(clerk, file)


def test_hidden_numbers_are_told_with_what_to_export_instead(clerk):
    content = (SAMPLES / "youzan_customers_sample.csv").read_bytes()
    file = uploaded(content, name="youzan.csv", by=staff.User.objects.get(username="clerk"))

    shown = page(clerk, file)

    assert file.preview["hidden"] > 0
    assert "Let the administrator of the Youzan shop" in shown
    assert "Recognized as “Youzan: customers”" in shown


def test_hidden_numbers_of_an_unknown_list_are_told_too(clerk):
    file = asked()
    assert file.preview["hidden"] == 0
    masked = uploaded(table({"手机号": "138****0001"}, {"手机号": "13800000001"}), by=file.created_by)

    assert "Export a list that holds them in full" in page(clerk, masked)


def test_the_rules_stand_on_the_page(clerk):
    shown = page(clerk, asked())

    for words in ("An empty cell leaves what is known", "An opt-out always wins", "the first counts"):
        assert words in shown


def test_who_may_not_see_addresses_sees_no_cells(clerk):
    file = asked([*ANSWERS, "13900000009"])
    auditor = staff.signed_in("auditor")

    assert "13900000009" in page(clerk, file)
    assert "13900000009" not in page(auditor, file)
