"""Writing an e-mail: the form asks for what the channel needs, and the preview shows the letter as it will be read."""

import pytest
from playwright.sync_api import expect

from notifications.models import Template
from tests import cast

pytestmark = [pytest.mark.browser, pytest.mark.stories, pytest.mark.django_db(transaction=True)]


def test_a_marketer_writes_a_letter_and_sees_it_as_its_reader_will(log_in):
    signature = cast.signature()
    cast.customer("李娜", email="lina@example.com", consent="granted")
    marketer = log_in("marketer")
    page = marketer.page
    marketer.open("/admin/notifications/template/add/")
    expect(page.locator("#id_html")).to_be_hidden()
    expect(page.locator("#id_opt_out_wording")).to_be_visible()

    page.locator("#id_channel").select_option("email")
    page.locator("#id_signature").select_option(str(signature.pk))
    page.locator("#id_name").fill("新品来信")
    page.locator("#id_subject").fill("{{ name }}，新品到店")
    page.locator("#id_body").fill("{{ name }}，新品到店。")
    page.locator("#id_html").fill('<h2 style="color:#b4232a">新品到店</h2><p>亲爱的<b>{{ name }}</b></p>')

    expect(page.locator("#id_opt_out_wording")).to_be_hidden()
    expect(page.locator("#preview-subject")).to_have_text("（广告）李娜，新品到店")
    letter = page.frame_locator("iframe.hy-letter")
    expect(letter.locator("b")).to_have_text("李娜")
    expect(letter.locator("h2")).to_have_css("color", "rgb(180, 35, 42)")
    expect(letter.locator("a")).to_contain_text("Unsubscribe")
    marketer.check_on_the_phone()

    page.locator("[name=_save]").first.click()
    page.wait_for_url("**/admin/notifications/template/")
    assert Template.objects.get().subject == "{{ name }}，新品到店"
    assert marketer.faults == []
