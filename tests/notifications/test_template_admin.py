"""Writing a template: checked as it is saved, and tried on real customers while it is written."""

import cast
import pytest
import staff
from django.core.cache import cache
from django.urls import reverse

from customers.models import ContactPoint, Customer
from notifications.choices import SignatureStatus
from notifications.models import Signature, Template

pytestmark = pytest.mark.django_db

ADD = "admin:notifications_template_add"


@pytest.fixture(autouse=True)
def no_remembered_samples():
    cache.clear()


def form(**changes) -> dict:
    """What the browser sends; the changes on top."""
    sent = {
        "name": "新年问候",
        "purpose": "marketing",
        "channel": "sms",
        "signature": cast.signature().pk,
        "body": '{{ name or "顾客" }}，新年快乐！',
        "opt_out_wording": "拒收请回复R",
    }
    return sent | changes


def preview(client, **changes) -> str:
    return client.post(reverse("admin:notifications_template_preview"), form(**changes)).content.decode()


def test_a_marketer_saves_a_template():
    answer = staff.signed_in("marketer").post(reverse(ADD), form())

    assert answer.status_code == 302
    assert Template.objects.get().version == 1


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ("{{ nmae }}，您好", "Did you mean “name”?"),
        ("{{ 7 * 7 }}", "is not possible"),
        ("{% for x in range(10**9) %}x{% endfor %}", "is not possible"),
        ("{{ name", "not closed"),
        ("   ", "required"),
        ("{{ name.__class__ }}", "is not possible"),
    ],
)
def test_a_text_that_cannot_be_sent_is_refused_with_a_sentence(body, said):
    answer = staff.signed_in("marketer").post(reverse(ADD), form(body=body))

    assert said in str(answer.context["adminform"].form.errors["body"])
    assert not Template.objects.exists()


def test_a_wording_that_tells_nobody_how_to_opt_out_is_refused():
    answer = staff.signed_in("marketer").post(reverse(ADD), form(opt_out_wording="谢谢"))

    assert answer.context["adminform"].form.errors["opt_out_wording"]


def test_each_save_has_a_number_and_a_stale_tab_overwrites_nothing():
    template = cast.template("第一版")
    client = staff.signed_in("marketer")
    page = reverse("admin:notifications_template_change", args=[template.pk])

    client.post(page, form(name=template.name, body="第二版", version=1))
    stale = client.post(page, form(name=template.name, body="旧标签页", version=1))

    template.refresh_from_db()
    assert (template.body, template.version) == ("第二版", 2)
    assert "Somebody else saved" in str(stale.context["adminform"].form.errors)


def test_fields_that_the_form_does_not_offer_are_ignored():
    staff.signed_in("marketer").post(reverse(ADD), form(archived_at="2020-01-01", created_at="2020-01-01", version=9))

    template = Template.objects.get()
    assert (template.archived_at, template.version) == (None, 1)


def test_the_preview_shows_signature_and_opt_out_in_their_places():
    cast.li_na()

    shown = preview(staff.signed_in("marketer"))

    assert (
        '<span class="hy-added">【鸿雁花店】</span>李娜，新年快乐！<span class="hy-added">拒收请回复R</span>' in shown
    )
    assert "20 characters" in shown
    assert "1 SMS" in shown


def test_a_service_reminder_says_nothing_of_opting_out():
    cast.li_na()

    assert "拒收请回复R" not in preview(staff.signed_in("marketer"), purpose="service")


def test_the_preview_names_the_costliest_reader_and_what_shortening_saves():
    cast.li_na()
    long_name = Customer.objects.create(name="欧阳" * 12)
    ContactPoint.objects.create(customer=long_name, channel="sms", address="13800000009")
    client = staff.signed_in("marketer")
    body = '{{ name or "顾客" }}，' + "新" * 43

    usual = preview(client, body=body, sample="typical")
    costliest = preview(client, body=body, sample="costliest")

    assert "As 欧阳" in costliest
    assert "2 SMS" in costliest
    assert "hy-next-part" in costliest
    assert "save ¥0.045" in costliest or "saves ¥0.045" in costliest
    assert "As 李娜" in usual or "As 欧阳" in usual


def test_a_reader_without_a_name_is_tried_too():
    nameless = Customer.objects.create(name="")
    ContactPoint.objects.create(customer=nameless, channel="sms", address="13800000008")

    shown = preview(staff.signed_in("marketer"), sample="nameless")
    gap = preview(staff.again("marketer"), sample="nameless", body="{{ name }}，您好")

    assert "顾客，新年快乐" in shown
    assert "There is no value for “name”" in gap


def test_a_shop_without_customers_sees_an_example():
    assert "As Example reads it" in preview(staff.signed_in("marketer"))


def test_the_preview_warns_of_words_the_advertising_law_forbids():
    assert "全网最低" in preview(staff.signed_in("marketer"), body="全网最低价").partition("Advertising Law")[2]


def test_the_preview_warns_of_a_signature_that_carriers_block():
    pending = Signature.objects.create(name="新签名", status=SignatureStatus.PENDING)

    assert "not approved yet" in preview(staff.signed_in("marketer"), signature=pending.pk)


def test_a_name_that_is_html_is_shown_as_text():
    mean = Customer.objects.create(name="<script>alert(1)</script>")
    ContactPoint.objects.create(customer=mean, channel="sms", address="13800000007")

    shown = preview(staff.signed_in("marketer"))

    assert "<script>alert" not in shown
    assert "&lt;script&gt;" in shown


def test_an_unfinished_text_is_answered_with_the_sentence_it_would_be_refused_with():
    assert "not closed" in preview(staff.signed_in("marketer"), body="{{ name")


def test_the_preview_is_asked_by_post_alone():
    assert staff.signed_in("marketer").get(reverse("admin:notifications_template_preview")).status_code == 405


def test_archiving_asks_first_and_happens_by_post():
    template = cast.template()
    client = staff.signed_in("marketer")
    address = reverse("admin:notifications_template_archive", args=[template.pk])

    asked = client.get(address)
    still_there = Template.objects.get().archived_at is None
    client.post(address, {"_form_submitted": "True"})

    assert b"Archive this template?" in asked.content
    assert still_there
    assert Template.objects.get().archived_at is not None
