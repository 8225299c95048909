"""What the tests of the engine share: a gateway, an account at it, and an hour at which all may be sent."""

from datetime import timedelta

import pytest

from customers import clock
from customers.models import ClockOffset
from tests import cast
from tests.gateway import Gateway


@pytest.fixture
def gateway(tmp_path, process_environment):
    """A sandbox gateway of the test's own."""
    running = Gateway(tmp_path / "gateway", "--no-receipts", environment=process_environment)
    yield running
    running.stop()


@pytest.fixture
def account(transactional_db, gateway, settings):
    """The sandbox account at that gateway."""
    settings.GATEWAY_PRIVATE_HOSTS = [gateway.host]
    return cast.account(gateway.url)


@pytest.fixture
def noon(transactional_db):
    """Set the deployment's clock to noon in the shop, whatever the hour is."""
    ClockOffset.objects.update_or_create(id=1, defaults={"offset": timedelta(0)})
    now = clock.now()
    at_noon = now.astimezone(clock.shop_zone()).replace(hour=12, minute=0, second=0, microsecond=0)
    ClockOffset.objects.update(offset=at_noon - now)
    yield clock.now()
    ClockOffset.objects.update(offset=timedelta(0))
