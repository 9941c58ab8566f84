"""The sample server as its users start it, and the standard library's clients to talk to it."""

import imaplib
import json
import smtplib
import ssl
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest


@dataclass
class Running:
    """A running sample server and what it said when it was ready."""

    process: subprocess.Popen[str]
    ready: dict[str, Any]

    @property
    def login(self) -> tuple[str, str]:
        """Address and password."""
        return self.ready["address"], self.ready["password"]

    @property
    def trust(self) -> ssl.SSLContext:
        """A client's context that trusts the sample's authority and nothing else."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.load_verify_locations(self.ready["ca"])
        return context

    @contextmanager
    def imap(self, host: str = "127.0.0.1") -> Iterator[imaplib.IMAP4_SSL]:
        """A client that has logged in."""
        client = imaplib.IMAP4_SSL(host, self.ready["imap_port"], ssl_context=self.trust, timeout=10)
        try:
            client.login(*self.login)
            yield client
        finally:
            client.shutdown()

    @contextmanager
    def smtp(self) -> Iterator[smtplib.SMTP_SSL]:
        """A client that has not logged in."""
        with smtplib.SMTP_SSL("127.0.0.1", self.ready["smtp_port"], context=self.trust, timeout=10) as client:
            yield client

    def stop(self) -> int:
        """Ask the server to stop; its exit code."""
        self.process.terminate()
        return self.process.wait(5)

    def kill(self) -> None:
        """End the server as a crash would."""
        self.process.kill()
        self.process.wait(5)


Start = Callable[..., Running]


@contextmanager
def starting() -> Iterator[Start]:
    """A function that starts servers, all of which are ended at the end."""
    started: list[subprocess.Popen[str]] = []

    def start(folder: Path, every: float = 0, errors: Any = None) -> Running:
        command = [
            sys.executable,
            "-m",
            "fumibako.site.sample",
            "--folder",
            str(folder),
            "--arrivals-every",
            str(every),
        ]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=errors, text=True)
        started.append(process)
        assert process.stdout
        return Running(process, json.loads(process.stdout.readline()))

    try:
        yield start
    finally:
        for process in started:
            process.kill()
            process.wait(5)
            for stream in (process.stdout, process.stderr):
                if stream:
                    stream.close()


@pytest.fixture
def start() -> Iterator[Start]:
    """Start sample servers."""
    with starting() as function:
        yield function


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """One sample server for all tests of a file; no mail arrives by itself."""
    with starting() as function:
        yield function(tmp_path_factory.mktemp("sample"))
