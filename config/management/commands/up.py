"""`manage.py up`: the whole deployment in one terminal."""

import http.client
import os
import signal
import socket
import time
from urllib.parse import urlsplit

from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError
from django.db import connections

from config import embedded, programs, running, servers
from config.preparation import NotReachable, prepare
from config.supervisor import Program, Supervisor

LOCAL = "127.0.0.1"
WEB_PORTS = range(8000, 8100)
# Seconds between two looks at the embedded servers.
LOOK_AGAIN = 2
WORKERS = {"urgent": "urgent", "bulk-1": "bulk", "bulk-2": "bulk", "default": "default"}


class Command(BaseCommand):
    """Prepare, serve until a signal, stop everything."""

    help = "Prepares the database, then runs web, workers, scheduler, watch and sandbox gateway until Ctrl-C."

    def handle(self, **options) -> None:
        """Run; the clone's own servers are stopped at the end, however it came."""
        signal.signal(signal.SIGTERM, signal.default_int_handler)
        try:
            with running.claim() as leftovers:
                if leftovers:
                    self.say(f"Ended {leftovers} processes that a killed run had left behind.")
                try:
                    self.serve()
                finally:
                    if any(self.own_servers().values()):
                        embedded.stop()
        except running.AlreadyRunning as other:
            where = f" at {other.address}" if other.address else ""
            raise CommandError(f"Hongyan already runs from this folder{where}. Stop it with: make down") from other
        except KeyboardInterrupt:
            pass  # Asked for while preparing, when nothing but the servers ran.
        self.say("Everything is stopped.")

    def serve(self) -> None:
        """Prepare the deployment and keep its programs running."""
        listener = _listener()
        host, port = listener.getsockname()[:2]
        self.address = f"http://{LOCAL if host == '0.0.0.0' else host}:{port}"
        environment = self.environment()
        try:
            self.log_in = prepare(say=self.say, environment=environment)
        except ValidationError as weak:
            raise CommandError(f"ADMIN_PASSWORD is too weak. {' '.join(weak.messages)}") from weak
        except NotReachable as trouble:
            raise CommandError(str(trouble)) from trouble
        for warning in servers.sentences().values():
            self.say(f"Warning: {warning}")
        connections.close_all()
        os.environ |= environment
        logs = settings.VAR / "log"
        logs.mkdir(mode=0o700, exist_ok=True)
        self.announced, self.looked_at = False, 0.0
        Supervisor(
            programs=_programs(
                listener.fileno(),
                gateway_port=urlsplit(environment["SANDBOX_GATEWAY_URL"]).port,
                mail_port=urlsplit(environment["SANDBOX_MAIL_URL"]).port,
            ),
            logs=logs,
            state=running.STATE,
            about={"address": self.address},
            say=self.say,
            each_tick=self.look_around,
        ).run()

    def environment(self) -> dict[str, str]:
        """What the programs are told: addresses that nobody knew before the ports were found."""
        gateway_port, mail_port = _gateway_ports(urlsplit(self.address).port)
        gateway, mail = f"{LOCAL}:{gateway_port}", f"{LOCAL}:{mail_port}"
        private = [*settings.GATEWAY_PRIVATE_HOSTS, gateway, mail, urlsplit(self.address).netloc]
        return os.environ | {
            "PUBLIC_URL": os.environ.get("PUBLIC_URL") or self.address,
            "SANDBOX_GATEWAY_URL": f"http://{gateway}",
            "SANDBOX_MAIL_URL": f"smtp://{mail}",
            "GATEWAY_PRIVATE_HOSTS": ",".join(dict.fromkeys(private)),
        }

    def look_around(self) -> None:
        """Tell the address once it answers, and start the embedded servers again when they were killed."""
        if not self.announced and _answers(self.address):
            self.announced = True
            self.say(f"\nHongyan 鸿雁 is ready: {self.address}/admin/\n{self.log_in}\nCtrl-C stops everything.\n")
        if time.monotonic() > self.looked_at + LOOK_AGAIN:
            if not embedded.is_alive(**self.own_servers()):
                self.say("An embedded server has ended; starting it again.")
                try:
                    embedded.start(**self.own_servers())
                except embedded.EmbeddedServerError as trouble:
                    self.say(str(trouble))
            self.looked_at = time.monotonic()

    def own_servers(self) -> dict[str, bool]:
        """Which of the two servers are this clone's own."""
        return {
            "postgres": embedded.serves(settings.DATABASE_URL),
            "valkey": embedded.serves(settings.REDIS_URL),
        }

    def say(self, sentence: str) -> None:
        """Write a line at once, also into a pipe."""
        self.stdout.write(sentence)
        self.stdout.flush()


def _programs(web_socket: int, *, gateway_port: int, mail_port: int) -> list[Program]:
    """The processes of a deployment; the gateway first, because what is first is stopped last."""
    sandbox = settings.VAR / "sandbox"
    sandbox.mkdir(mode=0o700, exist_ok=True)
    return [
        programs.gateway(gateway_port, mail_port, sandbox),
        programs.web(web_socket),
        *(programs.worker(name, queue) for name, queue in WORKERS.items()),
        programs.scheduler(),
        programs.watch(),
    ]


def _listener() -> socket.socket:
    """
    The socket that the web program will serve, opened here and held.

    Two clones that start at once cannot both find the same port free, and a restarted web program misses nobody.
    """
    for port in [settings.PORT] if settings.PORT else WEB_PORTS:
        if listener := _opened(settings.LISTEN_HOST, port):
            listener.listen(128)
            return listener
    if settings.PORT:
        raise CommandError(f"PORT: {settings.PORT} is taken. Choose another one, such as: make up PORT=8090")
    raise CommandError("The ports 8000 to 8099 are all taken. Choose another one, such as: make up PORT=9090")


def _gateway_ports(web_port: int) -> list[int]:
    """
    Two free ports, for the sandbox gateway and its mail server, at fixed distances from the one of the pages.

    That one is held already: two clones that start at once so look for different ones.
    """
    distances, free = range(900, 10_000, 100), []
    for port in [port for far in distances for port in (web_port + far, web_port - far) if 1024 <= port <= 65535]:
        if probe := _opened(LOCAL, port):
            probe.close()
            free.append(port)
        if len(free) == 2:
            return free
    raise CommandError("The sandbox gateway finds no free port. Choose another one for the pages: make up PORT=20000")


def _opened(host: str, port: int) -> socket.socket | None:
    opened = socket.socket()
    opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        opened.bind((host, port))
    except OSError:
        opened.close()
        return None
    return opened


def _answers(address: str) -> bool:
    parts = urlsplit(address)
    connection = http.client.HTTPConnection(parts.hostname, parts.port, timeout=1)
    try:
        connection.request("GET", "/healthz")
        return connection.getresponse().status == 200
    except OSError:
        return False
    finally:
        connection.close()
