"""Free ports, short directories, and processes that live exactly as long as a block."""

import contextlib
import fcntl
import os
import random
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

START_TIMEOUT = 30.0  # seconds until a server must answer
STOP_TIMEOUT = 10.0  # seconds between TERM and KILL
RESERVATIONS = Path(tempfile.gettempdir()) / f"lab-ports-{os.getuid()}"


def free_port(host: str = "127.0.0.1") -> int:
    """A port that nobody listens on, below the range that the kernel gives to outgoing connections.

    Runs beside this one do not get it while this process lives, even before its server listens.
    """
    while True:
        port = random.randrange(15000, 32000)
        with socket.socket() as sock, contextlib.suppress(OSError):
            _reserve(port)
            sock.bind((host, port))
            return port


def _reserve(port: int) -> None:
    """Raises BlockingIOError when another process of tests has the port."""
    RESERVATIONS.mkdir(exist_ok=True)
    reservation = os.open(RESERVATIONS / str(port), os.O_CREAT | os.O_RDWR, 0o666)
    try:
        fcntl.flock(reservation, fcntl.LOCK_EX | fcntl.LOCK_NB)  # until this process ends
    except BlockingIOError:
        os.close(reservation)
        raise


def wait_port(process: subprocess.Popen[bytes], port: int, host: str = "127.0.0.1") -> None:
    """Return once the port accepts a connection; raise when the process ends before that, or it takes too long."""
    end = time.monotonic() + START_TIMEOUT
    while time.monotonic() < end:
        if process.poll() is not None:
            raise RuntimeError(f"{process.args!r} ended with {process.returncode} before it listened")
        with socket.socket() as sock:
            sock.settimeout(1)
            if sock.connect_ex((host, port)) == 0:
                return
        time.sleep(0.02)
    raise TimeoutError(f"nothing listens on {host}:{port}")


@contextlib.contextmanager
def short_dir() -> Iterator[Path]:
    """A directory with a short path (Unix sockets allow 107 bytes; pytest's tmp_path is longer), removed afterwards."""
    path = Path(tempfile.mkdtemp(prefix="lab", dir="/tmp"))
    path.chmod(0o755)
    try:
        yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)


def start(
    argv: Sequence[str | Path], *ports: int, host: str = "127.0.0.1", log: Path | None = None
) -> subprocess.Popen[bytes]:
    """Start a server in a process group of its own; returns once every port answers."""
    with contextlib.ExitStack() as stack:
        output = stack.enter_context(log.open("ab")) if log else subprocess.DEVNULL
        process = subprocess.Popen(
            [str(word) for word in argv],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            for port in ports:
                wait_port(process, port, host)
        except BaseException:
            stop(process)
            raise
        return process


def stop(process: subprocess.Popen[bytes]) -> None:
    """End a server: by TERM, and by KILL where that is not enough."""
    with contextlib.suppress(ProcessLookupError):
        process.send_signal(signal.SIGTERM)
    try:
        process.wait(STOP_TIMEOUT)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


@contextlib.contextmanager
def running(
    argv: Sequence[str | Path], *ports: int, host: str = "127.0.0.1", log: Path | None = None
) -> Iterator[subprocess.Popen[bytes]]:
    """Run a server in a process group of its own until the block ends; entered once every port answers."""
    process = start(argv, *ports, host=host, log=log)
    try:
        yield process
    finally:
        stop(process)
