"""The shop's settings with the software it is measured against; no deployment reads them."""

from config.settings import *  # noqa: F403
from config.settings import INSTALLED_APPS

INSTALLED_APPS = [*INSTALLED_APPS, "post_office", "tests.benchmarks.rivals"]
# As its users run it: batches of its own, and nothing written about what went well.
POST_OFFICE = {
    "BACKENDS": {"default": "tests.benchmarks.rivals.gateway_backend.GatewayBackend"},
    "BATCH_SIZE": 1000,
    "THREADS_PER_PROCESS": 5,
    "LOG_LEVEL": 1,
    "MESSAGE_ID_ENABLED": False,
}
