"""A SimpleWorker of RQ, which runs jobs without forking: python -m tests.benchmarks.rivals.simple_worker QUEUE."""

import os
import sys

import django
from django.utils.module_loading import import_string
from redis import Redis
from rq import SimpleWorker


def main() -> None:
    """Work until a signal comes."""
    django.setup()
    # The first job shall not pay for the import.
    import_string("tests.benchmarks.rivals.one_job_per_message.send_one")
    SimpleWorker(sys.argv[1:], connection=Redis.from_url(os.environ["REDIS_URL"])).work(logging_level="WARNING")


if __name__ == "__main__":
    main()
