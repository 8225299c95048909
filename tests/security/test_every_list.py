"""Every list of the admin: searched, filtered and sorted with bad intentions, over rows of the same kind."""

import json
from urllib.parse import urlencode

import pytest
from django.contrib import admin
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import User
from django.contrib.contenttypes.models import ContentType
from django.db.models import TextField, Value
from django.db.models.functions import Cast, Concat
from django.urls import reverse
from django_rq.models import Dashboard

from campaigns.models import Campaign, Segment
from customers import clock
from customers.models import Customer, ImportedRow, SpreadsheetImport, Suppression, Tag, Tier
from notifications.models import Delivery, FrequencyCap, Message, ProviderAccount, Template
from notifications.services import deliveries, messages
from tests import cast, staff
from tests.customers import files
from tests.security.addresses import every_address, one_of_everything
from tests.security.test_every_address import CALLBACKS, ENDS_SESSION

pytestmark = pytest.mark.django_db

LISTS = [model for model in admin.site._registry if model is not Dashboard]
# The columns of a delivery with everything around it are long by themselves.
LONGEST_QUESTION = 15_000
MARKUP = "<img src=x onerror=alert(1)>"
HOSTILE = ["' OR 1=1--", "\0", "9" * 30, "-1", "%", "a,b", "㊙", "x" * 5_000, "{{7*7}}", "1;SELECT pg_sleep(9)"]


def list_of(model) -> str:
    """The address of a list; rows of imports are shown for one import."""
    address = reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_changelist")
    if model is not ImportedRow:
        return address
    return f"{address}?spreadsheet_import={SpreadsheetImport.objects.filter(status='done').first().pk}"


def asked(client, model, question: dict):
    """The answer of a list to a question in its address."""
    client.raise_request_exception = False
    address = list_of(model)
    return client.get(f"{address}{'&' if '?' in address else '?'}{urlencode(question)}")


@pytest.fixture(autouse=True)
def uploads(settings, tmp_path, empty_queue):
    """A directory of the test's own for uploaded files."""
    settings.UPLOADS = tmp_path / "uploads"


@pytest.fixture
def owner():
    """A browser that may open everything, over a shop that has one of everything."""
    one_of_everything()
    return staff.signed_in("superuser")


@pytest.mark.parametrize(
    "term", ["a" * 10_000, "a " * 5_000, "%" * 10_000, "(a+)+$" * 1_500, '"' * 9_999, "\0" * 10, "' OR 1=1--", "\\"]
)
def test_a_search_for_ten_thousand_characters_is_answered(owner, term, django_assert_max_num_queries):
    for model in LISTS:
        with django_assert_max_num_queries(40) as questions:
            assert asked(owner, model, {"q": term}).status_code in (200, 302), model
        assert max(len(question["sql"]) for question in questions) < LONGEST_QUESTION, model


@pytest.mark.parametrize("model", [Customer, Segment, Template, Message])
def test_a_search_that_was_cut_says_so(owner, model):
    said = [str(sentence) for sentence in asked(owner, model, {"q": "a" * 101}).context["messages"]]

    assert said == ["The search is too long: only its first 100 characters were looked for."]


@pytest.mark.parametrize(
    "question",
    [
        "created_by__password__startswith", "actor__password__startswith", "user__password__contains",
        "account__encrypted_secret__startswith", "submission__account__callback_token__startswith",
        "message__template__body__regex", "customer__contact_points__address__startswith",
        "groups__permissions__codename", "password__startswith", "encrypted_secret", "callback_token__startswith",
    ],
)  # fmt: skip
def test_no_list_answers_questions_about_secrets(owner, question):
    for model in LISTS:
        answer = asked(owner, model, {question: "p"})

        is_refused = answer.status_code == 400 or (answer.status_code == 302 and answer.url.endswith("e=1"))
        assert is_refused, (model, answer.status_code)


def test_who_may_only_look_sees_neither_the_secret_nor_the_address_that_stands_for_one(owner):
    account = ProviderAccount.objects.get()
    page = staff.signed_in("auditor").get(reverse("admin:notifications_provideraccount_change", args=[account.pk]))

    assert page.status_code == 200
    assert account.callback_token not in page.content.decode()


def test_a_question_that_is_refused_is_answered_with_a_page(owner):
    refused = asked(owner, ProviderAccount, {"callback_token__startswith": "p"})

    assert refused.status_code == 400
    assert 'href="/admin/"' in refused.content.decode()


@pytest.mark.parametrize("value", HOSTILE, ids=range(len(HOSTILE)))
def test_a_filter_takes_any_value_and_finds_nothing_by_it(owner, value):
    for model in LISTS:
        shown = owner.get(list_of(model)).context_data["cl"]
        for parameter in {name for filtered in shown.filter_specs for name in filtered.expected_parameters()}:
            assert asked(owner, model, {parameter: value}).status_code in (200, 302, 400), (model, parameter)


@pytest.mark.parametrize(
    "query",
    [
        {"o": "1;DROP TABLE customers_customer"}, {"o": "99.-99"}, {"o": "-"}, {"o": "'"}, {"p": "999999999999"},
        {"p": "-1"}, {"p": "'"}, {"all": ""}, {"_to_field": "password"}, {"_popup": "1"}, {"e": "1"}, {"": "x"},
        {"_facets": "1"}, {"pk": "x"}, {"id__in": "1,x"}, {"order_by": "password"},
    ],
)  # fmt: skip
def test_a_list_is_sorted_and_paged_by_nothing_but_its_columns(owner, query):
    for model in LISTS:
        assert asked(owner, model, query).status_code in (200, 302, 400), model
    assert Customer.objects.exists()


def marked_up() -> None:
    """Put markup wherever a person, a file or a provider can put words."""
    Customer.objects.update(name=MARKUP, note=MARKUP, city=MARKUP, province=MARKUP)
    Tag.objects.update(name=MARKUP)
    Tier.objects.update(name=MARKUP)
    Suppression.objects.update(note=MARKUP)
    Template.objects.update(name=Concat(Value(MARKUP), Cast("pk", TextField())), body=MARKUP)
    Segment.objects.update(name=MARKUP, conditions=[[{"field": "city", "operator": "any", "value": [MARKUP]}]])
    Campaign.objects.update(name=MARKUP, problem={"en": MARKUP})
    FrequencyCap.objects.update(name=MARKUP)
    ProviderAccount.objects.update(name=MARKUP, paused_for=MARKUP)
    Message.objects.update(paused_at=clock.now(), paused_for=MARKUP)
    User.objects.update(first_name=MARKUP, last_name=MARKUP)
    person = User.objects.get(username="superuser")
    LogEntry.objects.create(
        user=person, content_type=ContentType.objects.get_for_model(Customer), action_flag=2,
        object_id=Customer.objects.latest("pk").pk, object_repr=MARKUP, change_message=json.dumps([MARKUP]),
    )  # fmt: skip


def test_words_of_strangers_are_text_on_every_page(owner):
    now = clock.now()
    template = cast.template(name="Frozen")
    template.body = MARKUP
    message = messages.freeze(
        template,
        name=MARKUP,
        price="0.045",
        send_after=now,
        send_until=now.replace(year=now.year + 1),
        by=None,
        now=now,
    )
    deliveries.plan(message, Customer.objects.present(), occasion="greeting", now=now)
    Delivery.objects.update(values={"name": MARKUP})
    head = ("姓名", "手机号", "生日", "备注" + MARKUP)
    rows = [
        {"姓名": MARKUP, "手机号": "13800000008", "生日": MARKUP, head[-1]: MARKUP},
        {"姓名": MARKUP, "手机号": MARKUP},
    ]
    files.imported(files.table(*rows, head=head), name=f"{MARKUP}.csv")
    files.uploaded(files.table(*rows, head=head), name=f"{MARKUP}.csv")
    marked_up()
    owner.raise_request_exception = False
    seen = 0

    for address in every_address():
        if address.pattern not in ENDS_SESSION | CALLBACKS:
            page = owner.get(address.path, follow=True).getvalue().decode(errors="replace")
            seen += "onerror=alert(1)" in page
            assert "<img src=x" not in page, address.path

    # The walk is worth something only where the words are really shown.
    assert seen > 30
