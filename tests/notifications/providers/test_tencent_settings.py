"""An account of Tencent Cloud is told at once what is wrong with its settings, and its secret shows nowhere."""

import pytest
from tencent_cast import TEXT, outgoing, send

from notifications.providers.addresses import check_url
from notifications.providers.base import Outcome
from notifications.providers.tencent_api import TencentSettings, host_header
from notifications.providers.tencent_sms import TencentSms
from tests.gateways.tencent import APP_ID, KEY_ID, SECRET, TencentProcess

LI_NA = outgoing("13800000001", "您", "A1")


@pytest.mark.parametrize(
    ("changes", "remedy"),
    [
        ({"url": "https://sms.tencentcloudapi.com/v2"}, "without a path"),
        ({"url": "sms.tencentcloudapi.com"}, "https://"),
        ({"key_id": "AKID\r\nHost: evil"}, "SecretId"),
        ({"key_id": "AKID/2026"}, "SecretId"),
        ({"region": "广州"}, "ap-guangzhou"),
        ({"app_id": "my shop"}, "1400006666"),
    ],
)
def test_a_bad_setting_is_refused_with_its_remedy(changes, remedy):
    settings = {"key_id": "AKID", "app_id": "1400006666"}

    with pytest.raises(ValueError, match=remedy):
        TencentSms(TencentSettings(**(settings | changes)))


@pytest.mark.parametrize(
    ("url", "host"),
    [
        ("https://sms.tencentcloudapi.com", "sms.tencentcloudapi.com"),
        ("https://SMS.TencentCloudAPI.com:443/", "sms.tencentcloudapi.com"),
        ("https://sms.tencentcloudapi.com:8443", "sms.tencentcloudapi.com:8443"),
        ("http://gateway.example.com:443", "gateway.example.com:443"),
        ("http://[2001:4860:4860::8888]:8900", "[2001:4860:4860::8888]:8900"),
    ],
)
def test_the_host_is_signed_as_it_is_sent(url, host):
    assert host_header(check_url(url, private_hosts=())) == host


def test_a_private_address_that_nobody_listed_is_not_called():
    provider = TencentSms(TencentSettings(key_id="AKID", app_id="1", url="http://169.254.169.254"))

    (answer,) = send(provider, [LI_NA])

    assert answer.outcome is Outcome.REFUSED_ACCOUNT
    assert "GATEWAY_PRIVATE_HOSTS" in answer.words


def test_the_secret_does_not_show_in_logs():
    assert "k3y" not in repr(TencentSettings(key_id="AKID", app_id="1", secret="k3y"))


def test_the_gateway_of_the_tests_remembers_what_it_took_when_it_is_killed(tmp_path):
    process = TencentProcess(tmp_path)
    process.register("1110", TEXT)
    settings = {"key_id": KEY_ID, "secret": SECRET, "app_id": APP_ID, "url": process.url}
    provider = TencentSms(TencentSettings(**settings, private_hosts={process.host}))

    answers = send(provider, [LI_NA])
    process.process.kill()
    process.stop()

    assert [entry["serial"] for entry in process.ledger()] == [answer.provider_id for answer in answers]
