"""Starts the sandbox gateway: python -m config.sandbox_gateway --port 8900 --directory var/sandbox."""

import argparse
import logging
import os
import signal
import sys
import threading
from pathlib import Path

from config.sandbox.clock import DeploymentClock
from config.sandbox.gateway import Gateway
from config.sandbox.ledger import Ledger, LedgerInUse
from config.sandbox.mail import MailServer
from config.sandbox.receipts import ReceiptPusher
from config.sandbox.server import Server
from config.sandbox.settings import BadSetting, Settings

# Calls in hand get this long to be answered when the gateway stops.
DRAIN_SECONDS = 5


def read_arguments(arguments: list[str] | None = None) -> argparse.Namespace:
    """The command line, with the settings it starts with."""
    parser = argparse.ArgumentParser(prog="sandbox_gateway", description=__doc__)
    defaults = Settings()
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8900, help="0 takes a free one")
    parser.add_argument("--mail-port", type=int, default=None, help="takes e-mail by SMTP too; 0 takes a free port")
    parser.add_argument("--directory", type=Path, required=True, help="where the ledger is kept")
    parser.add_argument("--latency-ms", type=int, default=defaults.latency_ms)
    parser.add_argument("--receipt-delay-ms", type=int, default=defaults.receipt_delay_ms)
    parser.add_argument("--receipt-jitter-ms", type=int, default=defaults.receipt_jitter_ms)
    parser.add_argument("--no-receipts", action="store_true", help="hold receipts back until /settings says so")
    parser.add_argument("--not-idempotent", action="store_true", help="accept a repeated call again")
    return parser.parse_args(arguments)


def settings_of(options: argparse.Namespace) -> Settings:
    """The settings a command line asks for. Raises BadSetting."""
    settings = Settings()
    settings.change(
        {
            "latency_ms": options.latency_ms,
            "receipt_delay_ms": options.receipt_delay_ms,
            "receipt_jitter_ms": options.receipt_jitter_ms,
            "receipts": not options.no_receipts,
            "idempotent": not options.not_idempotent,
        }
    )
    return settings


def private_hosts() -> list[str]:
    """Further hosts that receipts may be pushed to, as the shop itself lists them."""
    listed = os.environ.get("GATEWAY_PRIVATE_HOSTS", "").split(",")
    return [host.strip() for host in listed if host.strip()]


def mail_server(options: argparse.Namespace, ledger: Ledger, clock: DeploymentClock) -> MailServer | None:
    """The side that takes e-mail, if one is asked for. Raises OSError."""
    if options.mail_port is None:
        return None
    return MailServer((options.host, options.mail_port), ledger=ledger, clock=clock, directory=options.directory)


def run(options: argparse.Namespace) -> None:
    """Serve until SIGTERM or Ctrl-C. Raises BadSetting, LedgerInUse and OSError at the start."""
    settings = settings_of(options)
    ledger = Ledger(options.directory)
    clock = DeploymentClock(os.environ.get("DATABASE_URL"))
    pusher = ReceiptPusher(
        ledger=ledger, directory=options.directory, clock=clock, settings=settings, private_hosts=private_hosts()
    )
    gateway = Gateway(ledger=ledger, pusher=pusher, clock=clock, settings=settings)
    server = Server((options.host, options.port), gateway)
    for number in (signal.SIGTERM, signal.SIGINT):
        # shutdown() waits for the loop that this very thread runs, so another thread must call it.
        signal.signal(number, lambda *_: threading.Thread(target=server.shutdown).start())
    pusher.start()
    host = f"[{options.host}]" if ":" in options.host else options.host
    mail = mail_server(options, ledger, clock)
    if mail:
        threading.Thread(target=mail.serve_forever, name="mail", daemon=True).start()
        sys.stdout.write(f"Sandbox mail server: smtp://{host}:{mail.port}\n")
    sys.stdout.write(f"Sandbox gateway: http://{host}:{server.port}/\n")
    sys.stdout.flush()
    server.serve_forever(poll_interval=0.2)
    server.server_close()
    server.drain(seconds=DRAIN_SECONDS)
    if mail:
        mail.shutdown()
        mail.server_close()
    pusher.stop()
    ledger.close()


def main() -> int:
    """Run, and say in one sentence why it cannot."""
    logging.basicConfig(level=logging.WARNING, format="sandbox gateway: %(message)s")
    options = read_arguments()
    try:
        run(options)
    except LedgerInUse:
        sys.stderr.write(f"Another gateway writes into {options.directory}. Stop it, or choose another directory.\n")
        return 2
    except BadSetting as refusal:
        sys.stderr.write(f"{refusal}\n")
        return 2
    except OSError as failure:
        sys.stderr.write(f"The gateway could not start on {options.host}:{options.port}: {failure.strerror}.\n")
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
