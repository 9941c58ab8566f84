import os
import pwd
import signal
import stat
import subprocess
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from fumibako.site import postgres
from tests.site.processes import is_alive, wait_for

pytestmark = pytest.mark.lab


@pytest.fixture(scope="module")
def data(short_folder: Path) -> Path:
    """A database folder that these tests start, hurt and start again."""
    data = short_folder / "hurt" / "postgres"
    data.parent.mkdir(mode=0o700)
    with postgres.started(data) as cluster, psycopg.connect(cluster.conninfo(), autocommit=True) as connection:
        connection.execute("CREATE TABLE kept (n int)")
        connection.execute("INSERT INTO kept VALUES (1)")
    return data


@pytest.fixture
def another_process() -> Iterator[subprocess.Popen[bytes]]:
    """A living process that is no database, of the user that runs the database."""
    account = {"user": postgres.SYSTEM_USER} if os.getuid() == 0 else {}
    with subprocess.Popen(["sleep", "600"], **account) as process:
        yield process
        process.kill()


def row_of(cluster: postgres.Cluster) -> int:
    with psycopg.connect(cluster.conninfo()) as connection:
        return connection.execute("SELECT n FROM kept").fetchone()[0]


def leave_pid_file(data: Path, pid: int) -> None:
    """What a server leaves that was killed at once."""
    lines = [str(pid), str(data), "1700000000", "5432", "/tmp", "", "  1234567         0", "ready   "]
    (data / "postmaster.pid").write_text("\n".join(lines) + "\n")
    if os.getuid() == 0:
        entry = pwd.getpwnam(postgres.SYSTEM_USER)
        os.chown(data / "postmaster.pid", entry.pw_uid, entry.pw_gid)


def test_it_speaks_japanese_without_the_systems_locale(cluster):
    with psycopg.connect(cluster.conninfo()) as connection:
        row = connection.execute(
            "SELECT datlocprovider, datlocale, lower('ＡＢＣ'), normalize('㈱', NFKC)"
            " FROM pg_database WHERE datname = current_database()"
        ).fetchone()
    assert row == ("b", "C.UTF-8", "ａｂｃ", "(株)")


def test_it_listens_at_no_port_and_its_socket_is_closed_to_others(cluster):
    with psycopg.connect(cluster.conninfo()) as connection:
        assert connection.execute("SHOW listen_addresses").fetchone() == ("",)
    socket = cluster.sockets / postgres.SOCKET_NAME
    assert stat.S_IMODE(socket.stat().st_mode) == 0o700
    assert stat.S_IMODE(cluster.sockets.stat().st_mode) == 0o700
    assert len(os.fsencode(socket)) <= postgres.LONGEST_SOCKET


@pytest.mark.skipif(os.getuid() != 0, reason="only root can try as another user")
def test_another_user_of_the_machine_does_not_get_in(cluster):
    done = subprocess.run(
        [str(cluster.binaries / "psql"), "-h", str(cluster.sockets), "-U", "postgres", "-c", "SELECT 1"],
        user="nobody",
        group="nogroup",
        extra_groups=[],
        capture_output=True,
        env={"PATH": "/usr/bin:/bin"},
        cwd="/",
    )
    assert done.returncode != 0


def test_a_pid_file_that_names_another_program_does_not_keep_it_from_starting(data, another_process):
    leave_pid_file(data, another_process.pid)
    with postgres.started(data) as cluster:
        assert row_of(cluster) == 1
    assert another_process.poll() is None


def test_a_pid_file_that_names_a_zombie_does_not_keep_it_from_starting(data):
    zombie = subprocess.Popen(["true"])
    os.waitid(os.P_PID, zombie.pid, os.WEXITED | os.WNOWAIT)
    leave_pid_file(data, zombie.pid)
    with postgres.started(data) as cluster:
        assert row_of(cluster) == 1
    zombie.wait()


def test_a_server_that_was_left_running_is_stopped_first(data):
    cluster = postgres.prepare(data)
    left = subprocess.Popen(cluster.command(), **cluster.options(), start_new_session=True, stderr=subprocess.DEVNULL)
    wait_for(lambda: cluster.ready(left.pid), "ready")
    with postgres.started(data) as second:
        assert not is_alive(left.pid)
        assert row_of(second) == 1
    left.wait()


def test_the_socket_of_a_killed_server_does_not_keep_it_from_starting(data, another_process):
    sockets = postgres.prepare(data).sockets
    lock = f"{another_process.pid}\n{data}\n1700000000\n5432\n{sockets}\n"
    (sockets / f"{postgres.SOCKET_NAME}.lock").write_text(lock)
    with postgres.started(data) as cluster:
        assert row_of(cluster) == 1


def test_after_a_kill_of_its_first_process_alone_it_starts_again(data):
    cluster = postgres.prepare(data)
    with subprocess.Popen(
        cluster.command(), **cluster.options(), start_new_session=True, stderr=subprocess.DEVNULL
    ) as server:
        wait_for(lambda: cluster.ready(server.pid), "ready")
        server.send_signal(signal.SIGKILL)
    with postgres.started(data) as again:
        assert row_of(again) == 1


def test_what_a_killed_making_has_left_is_made_anew(short_folder):
    half = short_folder / "half" / "postgres.new"
    half.mkdir(parents=True)
    (half / "PG_VERSION").write_text("18\n")
    data = half.with_name("postgres")
    postgres.prepare(data)
    assert (data / "global").is_dir()
    assert not half.exists()


def test_a_folder_with_something_else_in_it_is_left_alone(tmp_path):
    (tmp_path / "postgres").mkdir()
    (tmp_path / "postgres" / "letter.txt").write_text("keep me")
    with pytest.raises(postgres.PostgresError, match="not a database"):
        postgres.prepare(tmp_path / "postgres")
    assert (tmp_path / "postgres" / "letter.txt").read_text() == "keep me"


def test_a_data_folder_with_a_long_name_has_its_socket_elsewhere(short_folder):
    deep = short_folder / ("long" * 20) / ("long" * 20)
    deep.mkdir(parents=True)
    with postgres.started(deep / "postgres") as cluster, psycopg.connect(cluster.conninfo()) as connection:
        assert connection.execute("SELECT 1").fetchone() == (1,)
