"""A whole installation for browsers, and what an operator does beside it."""

import contextlib
import json
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg

from tests.browser.sample import HOST, SampleMailbox
from tests.lab.dns import running_dns
from tests.site.processes import FUMIBAKO, PATIENCE, environment, up, wait_for

NO_SUCH_DOMAIN = "nonexistent.example"
"""The name server of the installation knows no name at all."""


@dataclass(frozen=True)
class Login:
    """How somebody logs in to the pages."""

    login: str
    password: str


@dataclass(frozen=True)
class Installation:
    """A running installation: its address, its first logins and its sample mailbox."""

    data: Path
    url: str
    admin: Login
    member: Login
    sample: SampleMailbox
    database: str

    def command(self, *arguments: str, typed: str = "") -> Any:
        """What a command answers to a program."""
        done = subprocess.run(
            [str(FUMIBAKO), *arguments, "--json"],
            input=typed,
            capture_output=True,
            text=True,
            env=environment(FUMIBAKO_DATA=str(self.data)),
            timeout=PATIENCE,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return json.loads(done.stdout)

    def make_organization(self, name: str, admin: str) -> str:
        """A new organization whose admin sets a password at the path that is returned.

        It recommends the sample's servers to its members as the first organization does. (No page does that yet.)
        """
        made = self.command("org", "create", name, "--admin", admin)
        with psycopg.connect(self.database) as connection:
            connection.execute(
                """
                INSERT INTO mail_domain (organization_id, domain, imap_host, imap_port, imap_security,
                                         smtp_host, smtp_port, smtp_security, login_shape)
                SELECT made.id, domain, imap_host, imap_port, imap_security,
                       smtp_host, smtp_port, smtp_security, login_shape
                FROM mail_domain, organization made WHERE made.public_id = %s ORDER BY mail_domain.id LIMIT 1
                """,
                [made["organization"]],
            )
        return str(made["admin"]["link"])

    def link_sample(self, login: str, *options: str) -> None:
        """Link the sample mailbox for somebody, and wait until its mail is there."""
        self.command(
            "link", self.sample.address, "--user", login, "--password-stdin", "--wait", *options,
            typed=self.sample.password + "\n",
        )  # fmt: skip


@contextlib.contextmanager
def running_installation(data: Path) -> Iterator[Installation]:
    """Start everything over a new data folder, on free ports, and stop it at the end."""
    with running_dns() as dns:
        world = {"FUMIBAKO_DNS_SERVER": "{}:{}".format(*dns.address), "FUMIBAKO_PRIVATE_HOSTS": f"{HOST}/32"}
        with up(data, "--port", "0", **world) as running:
            running.wait_until_healthy()
            file = data / "first-login.json"
            first = wait_for(lambda: file.exists() and json.loads(file.read_text()), "first-login.json")
            record = running.running()
            sample = record["sample"]
            yield Installation(
                data=data,
                url=first["url"],
                admin=Login(**first["admin"]),
                member=Login(**first["member"]),
                sample=SampleMailbox(**{**sample, "ca": Path(sample["ca"])}),
                database=f"postgresql:///fumibako?host={record['sockets']}&user=postgres",
            )
