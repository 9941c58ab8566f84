"""`fumibako up` from end to end: real processes over a data folder of the test's own."""

import json
import os
import signal
import socket
import ssl
import stat
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from tests.site.processes import Up, children, fumibako, is_alive, small_disk, up, wait_for

pytestmark = pytest.mark.lab


@pytest.fixture(scope="module")
def installation(short_folder: Path) -> Iterator[Up]:
    """An installation with everything that belongs to it, shared by the tests that leave it running."""
    with up(short_folder / "whole", "--port", "0") as running:
        running.wait_until_healthy()
        yield running


def test_the_first_start_makes_logins_that_only_the_operator_reads(installation):
    file = installation.data / "first-login.json"
    login = wait_for(lambda: file.exists() and json.loads(file.read_text()), "first-login.json")
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert set(login) == {"url", "admin", "member", "sample"}
    assert login["url"] == installation.running()["url"]
    assert (login["admin"]["login"], login["member"]["login"]) == ("admin", "member")
    printed = wait_for(lambda: "Ctrl-C" in (text := installation.log.read_text()) and text, "the welcome")
    for secret in (login["admin"]["password"], login["member"]["password"], login["sample"]["address"]):
        assert secret in printed


def test_the_sample_mail_server_answers_over_tls_by_its_own_authority(installation):
    sample = installation.running()["sample"]
    trusting = ssl.create_default_context(cafile=sample["ca"])
    for port, greeting in ((sample["imap_port"], b"* OK"), (sample["smtp_port"], b"220 ")):
        with (
            socket.create_connection(("127.0.0.1", port)) as plain,
            trusting.wrap_socket(plain, server_hostname="127.0.0.1") as encrypted,
        ):
            assert encrypted.recv(100).startswith(greeting)


def test_nothing_of_the_data_folder_is_open_to_others(installation):
    for path in (installation.data, installation.data / "postgres", Path(installation.running()["sockets"])):
        assert stat.S_IMODE(path.stat().st_mode) == 0o700
    for name in ("keys", "running.json"):
        assert stat.S_IMODE((installation.data / name).stat().st_mode) == 0o600


def test_a_second_start_says_who_is_running_and_where(installation):
    second = fumibako("up", "--data", str(installation.data), "--port", "0")
    assert second.returncode == 1
    assert f"process {installation.process.pid}" in second.stderr
    assert installation.running()["url"] in second.stderr
    assert len(second.stderr.strip().splitlines()) == 1


def test_a_taken_port_is_told_before_anything_starts(installation, short_folder):
    data = short_folder / "taken"
    other = fumibako("up", "--data", str(data), "--port", str(installation.running()["port"]))
    assert other.returncode == 1
    assert f"Port {installation.running()['port']} at 127.0.0.1 is taken" in other.stderr
    assert len(other.stderr.strip().splitlines()) == 1
    assert [path.name for path in data.iterdir()] == ["lock"]


def test_a_command_beside_it_uses_its_database(installation):
    made = fumibako("org", "create", "株式会社試験", "--json", FUMIBAKO_DATA=str(installation.data))
    assert made.returncode == 0, made.stderr
    assert json.loads(made.stdout)["organization"].startswith("og_")


@pytest.mark.parametrize("name", ["web", "worker", "sample", "postgres"])
def test_a_child_that_is_killed_is_started_again(installation, name):
    before = installation.wait_for_children("web", "worker", "sample", "postgres")[name]
    os.kill(before, signal.SIGKILL)
    wait_for(lambda: children(installation.process.pid).get(name) not in (None, before), f"a new {name}")
    installation.wait_until_healthy()


def test_after_a_kill_the_next_start_finds_everything(short_folder):
    data = short_folder / "killed"
    with up(data, "--port", "0", "--no-sample") as first:
        first.wait_until_healthy()
        first.wait_for_children("web", "worker", "postgres")
        login = (data / "first-login.json").read_text()
        port = first.running()["port"]
        first.kill_everything()
    with up(data, "--port", str(port), "--no-sample") as second:
        second.wait_until_healthy()
        assert (data / "first-login.json").read_text() == login
        with psycopg.connect(f"host={second.running()['sockets']} user=postgres dbname=fumibako") as connection:
            row = connection.execute("SELECT count(*), count(DISTINCT organization_id) FROM person").fetchone()
        assert row == (2, 1)
        pids = second.wait_for_children("web", "worker", "postgres").values()
        second.process.kill()
        second.process.wait()
        wait_for(lambda: not any(map(is_alive, pids)), "all gone with the parent", timeout=5)


def test_ctrl_c_stops_all_within_seconds_with_a_page_open(short_folder):
    with up(short_folder / "stopped", "--port", "0", "--no-sample") as running:
        running.wait_until_healthy()
        pids = running.wait_for_children("web", "worker", "postgres").values()
        with socket.create_connection(("127.0.0.1", running.running()["port"])) as idle:
            idle.sendall(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
            assert idle.recv(100)
            assert running.interrupt() < 2.0
        assert not any(map(is_alive, pids))
        assert running.running() == {}


def test_a_data_folder_of_another_major_version_is_told_in_a_sentence(tmp_path):
    (tmp_path / "postgres").mkdir()
    (tmp_path / "postgres" / "PG_VERSION").write_text("16\n")
    done = fumibako("up", "--data", str(tmp_path), "--port", "0", "--no-sample")
    assert done.returncode == 1
    assert "made by PostgreSQL 16" in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1


def test_a_full_disk_at_the_start_is_told_in_a_sentence(short_folder):
    try:
        with small_disk(short_folder / "full", 20) as data:
            done = fumibako("up", "--data", str(data), "--port", "0", "--no-sample")
            assert [path.name for path in data.iterdir()] == ["lock"]
    except PermissionError as error:
        pytest.skip(f"not permitted here: {error}")
    assert done.returncode == 1
    assert "The disk is full" in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1


def test_a_disk_that_fills_up_is_waited_for_and_then_all_goes_on(short_folder):
    try:
        with small_disk(short_folder / "filling", 400) as disk, up(disk / "d", "--port", "0", "--no-sample") as running:
            running.wait_until_healthy()
            filler = disk / "filler"
            with filler.open("wb") as file:
                free = os.statvfs(disk).f_bavail * os.statvfs(disk).f_frsize
                os.posix_fallocate(file.fileno(), 0, free - (8 << 20))
            os.kill(running.wait_for_children("postgres")["postgres"], signal.SIGKILL)
            wait_for(lambda: "Waiting for room" in running.log.read_text(), "told that the disk is full")
            assert not running.healthy()
            filler.unlink()
            running.wait_until_healthy()
    except PermissionError as error:
        pytest.skip(f"not permitted here: {error}")


def test_database_url_takes_the_place_of_the_embedded_database(short_folder, cluster):
    with psycopg.connect(cluster.conninfo(), autocommit=True) as connection:
        connection.execute("CREATE DATABASE elsewhere")
    data = short_folder / "elsewhere"
    url = f"postgresql://postgres@/elsewhere?host={cluster.sockets}"
    with up(data, "--port", "0", "--no-sample", DATABASE_URL=url) as running:
        running.wait_until_healthy()
        assert set(running.wait_for_children("web", "worker")) == {"web", "worker"}
        assert not (data / "postgres").exists()
        with psycopg.connect(cluster.conninfo("elsewhere")) as connection:
            assert connection.execute("SELECT count(*) FROM person").fetchone() == (2,)


def test_without_a_running_database_a_command_says_so(tmp_path):
    done = fumibako("status", FUMIBAKO_DATA=str(tmp_path))
    assert done.returncode == 1
    assert done.stderr == "The database does not answer. Start Fumibako with `fumibako up` first.\n"


def test_what_hinders_the_preparation_is_told_without_a_traceback(short_folder):
    data = short_folder / "unprepared"
    done = fumibako(
        "up", "--data", str(data), "--port", "0", "--no-sample", DATABASE_URL="postgresql://127.0.0.1:1/none"
    )
    assert done.returncode == 1
    assert "The database does not answer" in done.stderr
    assert "Traceback" not in done.stderr
