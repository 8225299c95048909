"""PostgreSQL and Valkey as servers of this clone alone, on unix sockets below var/."""

import fcntl
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from urllib.parse import parse_qs, quote, unquote, urlsplit

import psutil
import psycopg

from config.embedded_places import EmbeddedServerError, Places

ROOT = Path(__file__).resolve().parent.parent
DATABASE = "hongyan"
# Recovery after a power cut replays up to max_wal_size; a slow disk needs minutes for it.
PATIENCE = 600
POSTGRES_OPTIONS = {
    "listen_addresses": "",
    "port": "5432",
    "max_connections": "150",
    "shared_buffers": "256MB",
    "max_wal_size": "2GB",
    # Two connections that import wait for each other's log a sixth of their time where 8 MB of it fill up.
    "wal_buffers": "64MB",
    "random_page_cost": "1.1",
    "jit": "off",
    "timezone": "UTC",
    "log_timezone": "UTC",
    # Statements and their details hold customers' phone numbers: the log keeps the error alone.
    "log_min_error_statement": "panic",
    "log_error_verbosity": "terse",
}
# No system gives a process a number this large.
NUMBER_OF_NOBODY = "2147483646"
# For tests, whose rows nobody misses after a power cut: half the time of a commit.
FLEETING_OPTIONS = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off", "max_wal_size": "512MB"}


def start_where_needed() -> None:
    """Start the servers whose addresses the environment does not give, and name them there."""
    wanted_postgres = not os.environ.get("DATABASE_URL")
    wanted_valkey = not os.environ.get("REDIS_URL")
    if wanted_postgres or wanted_valkey:
        try:
            start(postgres=wanted_postgres, valkey=wanted_valkey)
        except EmbeddedServerError as trouble:
            sys.exit(f"hongyan: {trouble}")
        set_addresses()


def set_addresses() -> None:
    """Name the embedded servers in the environment where it names none, started or not."""
    os.environ["DATABASE_URL"] = os.environ.get("DATABASE_URL") or database_url()
    os.environ["REDIS_URL"] = os.environ.get("REDIS_URL") or redis_url()


def database_url(var: Path | None = None) -> str:
    """The address of the embedded PostgreSQL."""
    return f"postgresql://postgres@/{DATABASE}?host={quote(str(_places(var).sockets), safe='/')}"


def redis_url(var: Path | None = None) -> str:
    """The address of the embedded Valkey."""
    return f"unix://{quote(str(_places(var).sockets), safe='/')}/valkey.sock?db=0"


def serves(url: str) -> bool:
    """Whether an address, of a database or of a queue, is that of this clone's own server, started or not."""
    parts = urlsplit(url)
    host = parse_qs(parts.query).get("host", [""])[0] or str(Path(unquote(parts.path)).parent)
    run = ROOT / "var" / "servers" / "run"
    return run.exists() and Path(host).resolve() == run.resolve() / "s"


def start(var: Path | None = None, *, postgres: bool = True, valkey: bool = True, durable: bool = True) -> None:
    """
    Start what does not run yet; any number of processes may ask at once.

    Raises EmbeddedServerError with the reason when a server does not come up.
    """
    places = _places(var)
    with _lock(places):
        if postgres and _postgres_state(places) != "ready":
            _start_postgres(places, {} if durable else FLEETING_OPTIONS)
        if valkey and _valkey_state(places) != "ready":
            _start_valkey(places)


def stop(var: Path | None = None) -> None:
    """Stop both servers, whoever started them, and wait until they are gone."""
    places = _places(var)
    with _lock(places):
        if process := _postgres_process(places):
            _postgres_program(places, "pg_ctl", "stop", "-m", "fast", "-t", str(PATIENCE))
            _wait_for(process)
        if process := _valkey_process(places):
            process.terminate()
            _wait_for(process)


def is_running(var: Path | None = None) -> bool:
    """Whether both servers answer."""
    places = _places(var)
    return _postgres_state(places) == _valkey_state(places) == "ready"


def is_alive(*, postgres: bool, valkey: bool) -> bool:
    """Whether the wanted servers exist as processes, busy or not."""
    places = _places(None)
    return (not postgres or _postgres_process(places) is not None) and (
        not valkey or _valkey_process(places) is not None
    )


def _places(var: Path | None) -> Places:
    var = var or ROOT / "var"
    try:
        var.mkdir(mode=0o711 if os.geteuid() == 0 else 0o700, parents=True, exist_ok=True)
        places = Places(var)
        with _lock(places):
            places.sockets  # noqa: B018 - made now, so that a folder we may not write is told here
    except PermissionError as refusal:
        raise EmbeddedServerError(
            f"{refusal.filename} cannot be written. Give the folder to the user who runs this, or run it as its owner."
        ) from refusal
    return places


@contextmanager
def _lock(places: Places) -> Iterator[None]:
    """Let one process at a time start or stop servers; the kernel lets go when it dies."""
    with (places.var / "lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


# PostgreSQL ----------------------------------------------------------------------------------


def _postgres_data(places: Places) -> Path:
    return places.home / "postgres" / "data"


def _postgres_process(places: Places) -> psutil.Process | None:
    return _process(_postgres_data(places) / "postmaster.pid", str(_postgres_data(places)))


def _postgres_state(places: Places) -> str:
    """One of "ready", "without database", "starting" and "absent"."""
    try:
        with psycopg.connect(
            host=str(places.sockets), port=5432, user="postgres", dbname="postgres", connect_timeout=3
        ) as connection:
            known = connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [DATABASE]).fetchone()
            return "ready" if known else "without database"
    except psycopg.OperationalError:
        return "starting" if _postgres_process(places) else "absent"


def _start_postgres(places: Places, extra_options: dict[str, str]) -> None:
    if not _postgres_data(places).exists():
        _initialize_postgres(places)
    if _postgres_state(places) == "absent":
        _release_locks(places)
        options = POSTGRES_OPTIONS | extra_options | {"unix_socket_directories": f'"{places.sockets}"'}
        settings = " ".join(f"-c {name}={_shell_quoted(value)}" for name, value in options.items())
        _launch_postgres(places, settings)
    _wait_for_database(places)


def _launch_postgres(places: Places, settings: str) -> None:
    """Start the server; one whose last backends still run is tried again until they have ended."""
    log = places.home / "postgres" / "server.log"
    deadline = time.monotonic() + PATIENCE
    while _postgres_program(
        places, "pg_ctl", "start", "-w", "-t", str(PATIENCE), "-l", str(log), "-o", settings
    ).returncode:
        ending = _tail(log)
        if "is still in use" not in ending or time.monotonic() > deadline:
            raise EmbeddedServerError(f"PostgreSQL does not start. The end of {log}:\n{ending}")
        time.sleep(0.5)


def _initialize_postgres(places: Places) -> None:
    """Make the data directory under another name first: a run killed half-way leaves nothing that looks whole."""
    unfinished = places.owned(places.home / "postgres") / "unfinished"
    if unfinished.exists():
        shutil.rmtree(unfinished)
    outcome = _postgres_program(
        places,
        "initdb",
        *("--username=postgres", "--auth=trust", "--encoding=UTF8", "--locale=C.UTF-8"),
        data=unfinished,
    )
    if outcome.returncode:
        raise EmbeddedServerError(f"PostgreSQL cannot make its data directory: {outcome.stderr.strip()}")
    unfinished.rename(_postgres_data(places))


def _release_locks(places: Places) -> None:
    """
    Release the locks of a killed server whose number now belongs to another program, or to nobody but is unburied.

    PostgreSQL recognizes only a number that nobody has. The lock of the data keeps the rest of its lines: from them
    PostgreSQL knows whether a backend of the killed server still writes.
    """
    (places.sockets / ".s.PGSQL.5432.lock").unlink(missing_ok=True)
    lock = _postgres_data(places) / "postmaster.pid"
    if lines := _lines_of(lock):
        # Not through a link: root must not write where another process of the account points it.
        with os.fdopen(os.open(lock, os.O_WRONLY | os.O_TRUNC | os.O_NOFOLLOW), "w") as file:
            file.write("\n".join([NUMBER_OF_NOBODY, *lines[1:]]) + "\n")


def _lines_of(file: Path) -> list[str]:
    try:
        return file.read_text().splitlines()
    except FileNotFoundError:
        return []


def _wait_for_database(places: Places) -> None:
    """Wait until connections are taken, and make the database the first time."""
    deadline = time.monotonic() + PATIENCE
    while (state := _postgres_state(places)) != "ready":
        if state == "without database":
            _postgres_program(
                places, "createdb", "-h", str(places.sockets), "-p", "5432", "-U", "postgres", DATABASE, data=None
            )
        if time.monotonic() > deadline:
            raise EmbeddedServerError(
                f"PostgreSQL does not answer. Its log is {places.home / 'postgres' / 'server.log'}."
            )
        time.sleep(0.05)


def _postgres_program(
    places: Places, program: str, *arguments: str, data: Path | str | None = ""
) -> subprocess.CompletedProcess:
    where = [] if data is None else ["-D", str(data or _postgres_data(places))]
    # The server that pg_ctl leaves behind keeps its output: a pipe would never see its end.
    with (places.home / "output").open("w+") as output:
        outcome = subprocess.run(
            [places.postgres_bin / program, *where, *arguments],
            cwd=places.home,
            stdout=output,
            stderr=output,
            start_new_session=True,
            **places.run_as(),
        )
        output.seek(0)
        outcome.stderr = output.read()
    return outcome


def _shell_quoted(value: str) -> str:
    """Quote for the shell through which pg_ctl starts the server."""
    return "'" + value.replace("'", "'\\''") + "'"


# Valkey --------------------------------------------------------------------------------------


def _valkey_directory(places: Places) -> Path:
    return places.home / "valkey"


def _valkey_process(places: Places) -> psutil.Process | None:
    return _process(_valkey_directory(places) / "valkey.pid", str(places.sockets))


def _valkey_state(places: Places) -> str:
    """One of "ready", "starting" and "absent"."""
    try:
        with closing(socket.socket(socket.AF_UNIX)) as connection:
            connection.settimeout(3)
            connection.connect(str(places.sockets / "valkey.sock"))
            connection.sendall(b"PING\r\n")
            return "ready" if connection.recv(64).startswith(b"+PONG") else "starting"
    except OSError:
        return "starting" if _valkey_process(places) else "absent"


def _start_valkey(places: Places) -> None:
    directory = places.owned(_valkey_directory(places))
    if _valkey_state(places) == "absent":
        (directory / "valkey.pid").unlink(missing_ok=True)
        subprocess.run(
            [
                places.valkey_server,
                *("--port", "0", "--unixsocket", places.sockets / "valkey.sock", "--unixsocketperm", "700"),
                *("--dir", directory, "--pidfile", directory / "valkey.pid", "--logfile", directory / "server.log"),
                *("--appendonly", "yes", "--appendfsync", "everysec", "--save", "", "--daemonize", "yes"),
                *("--loglevel", "warning"),
            ],
            cwd=places.home,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
            **places.run_as(),
        )
    deadline = time.monotonic() + 60
    while _valkey_state(places) != "ready":
        if time.monotonic() > deadline:
            raise EmbeddedServerError(
                f"Valkey does not start. It holds no truth: remove {directory} and start again. "
                f"The end of its log:\n{_tail(directory / 'server.log')}"
            )
        time.sleep(0.02)


# Processes -----------------------------------------------------------------------------------


def _number_in(pid_file: Path) -> int | None:
    try:
        return int(pid_file.read_text().split()[0])
    except (FileNotFoundError, ValueError, IndexError):
        return None


def _process(pid_file: Path, mark: str) -> psutil.Process | None:
    """The living process of this file, told from a newer one with its number by a mark in its command line."""
    try:
        process = psutil.Process(_number_in(pid_file) or 0)
        return process if _is_alive(process) and mark in " ".join(process.cmdline()) else None
    except psutil.Error:
        return None


def _is_alive(process: psutil.Process) -> bool:
    """Whether it runs; one that its parent has not yet buried does not."""
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def _wait_for(process: psutil.Process) -> None:
    deadline = time.monotonic() + PATIENCE
    while _is_alive(process):
        if time.monotonic() > deadline:
            raise EmbeddedServerError(f"Process {process.pid} does not end; stop it with: kill -9 {process.pid}")
        time.sleep(0.02)


def _tail(log: Path) -> str:
    try:
        return "\n".join(log.read_text(errors="replace").splitlines()[-12:])
    except OSError as trouble:
        return str(trouble)
