"""A real Dovecot on loopback: users, personalities, many mails at once, deliveries, and what was changed on it.

The fixtures `authority` and `dovecot` are for a whole session: import them in a conftest. A test that wants a server of
another character takes `running_dovecot(authority, personality=…)`.
"""

import contextlib
import getpass
import grp
import os
import pwd
import shutil
import signal
import smtplib
import subprocess
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from ipaddress import ip_address, ip_network
from pathlib import Path

import pytest

from fumibako.mail.connect import AllowedNetwork, Authority, Network, Security, Server
from fumibako.mail.imap.mutf7 import encode

from .ca import Certificate, CertificateAuthority
from .mailserver import Phone, commands_of, filed, logged_in, sample_mail
from .ports import free_port, short_dir, start, stop

__all__ = ["Dovecot", "authority", "dovecot", "running_dovecot", "sample_mail"]

LOOPBACK = "127.0.0.1"
_RELOADED = "SIGHUP received"


@dataclass
class Dovecot:
    """A running server. Mail lies in Maildir at `directory`/mail/ADDRESS."""

    directory: Path
    authority: CertificateAuthority
    certificate: Certificate
    imap_port: int
    imaps_port: int
    lmtp_port: int
    host: str = LOOPBACK
    name: str = "dovecot"
    process: "subprocess.Popen[bytes] | None" = None
    passwords: dict[str, str] = field(default_factory=dict)

    @property
    def tls(self) -> Server:
        """The port with TLS from the first byte."""
        return Server(self.host, self.imaps_port, Security.TLS)

    @property
    def starttls(self) -> Server:
        """The port that begins in the clear."""
        return Server(self.host, self.imap_port, Security.STARTTLS)

    @property
    def network(self) -> Network:
        """A network in which this server may be reached and its certificate is believed."""
        here = ip_address(self.host)
        return Network(
            private=tuple(AllowedNetwork(ip_network(self.host), port) for port in (self.imap_port, self.imaps_port)),
            authorities=(
                Authority(self.authority.cafile, frozenset({(here, self.imap_port), (here, self.imaps_port)})),
            ),
        )

    def start(self) -> None:
        """Start it; returns once it answers."""
        argv = ["dovecot", "-F", "-c", self.directory / "dovecot.conf"]
        ports = (self.imap_port, self.imaps_port, self.lmtp_port)
        self.process = start(argv, *ports, host=self.host, log=self.directory / "output.log")

    def stop(self) -> None:
        """End it and every session that it serves."""
        if self.process is not None:
            stop(self.process)
            self.process = None

    def add_user(self, address: str, password: str, *, login: str | None = None) -> None:
        """Let a user log in, with the address or another login name; done when the server knows it."""
        self.passwords[address] = password
        fields = f"user={address}" if login else ""
        with (self.directory / "users").open("a", encoding="utf-8") as users:
            users.write(f"{login or address}:{{PLAIN}}{password}::::::{fields}\n")
        self._wait_for(login or address, password)

    def set_password(self, login: str, password: str) -> None:
        """Change a password; done when the server knows it."""
        path = self.directory / "users"
        lines = path.read_text(encoding="utf-8").splitlines()
        changed = [
            f"{login}:{{PLAIN}}{password}:{line.split(':', 2)[2]}" if line.startswith(f"{login}:") else line
            for line in lines
        ]
        path.write_text("".join(f"{line}\n" for line in changed), encoding="utf-8")
        self._wait_for(login, password)

    def _wait_for(self, login: str, password: str) -> None:
        """The server looks at its list of users once a second at most."""
        argv = ["doveadm", "-c", str(self.directory / "dovecot.conf"), "auth", "test", login, password]
        end = time.monotonic() + 10
        while subprocess.run(argv, capture_output=True).returncode:
            if time.monotonic() > end:
                raise TimeoutError(f"Dovecot does not let {login} in")
            time.sleep(0.05)

    def folder_name(self, *levels: str) -> str:
        """The name of a folder beside INBOX, given its levels."""
        return "/".join(levels)

    def maildir(self, address: str, folder: str = "INBOX") -> Path:
        """Where a folder's mails lie (Maildir++)."""
        home = self.directory / "mail" / address
        return home if folder == "INBOX" else home / f".{encode(folder).decode().replace('/', '.')}"

    def fill(self, address: str, mails: Iterable[bytes], *, folder: str = "INBOX", seen: bool = True) -> int:
        """Put mails straight into a Maildir, an hour between them and the newest now; returns how many.

        Before the folder is first opened. File times become INTERNALDATE, order becomes UID order.
        """
        maildir, letters = self.maildir(address, folder), filed(mails, seen=seen)
        made = [path for path in (maildir, *maildir.parents) if not path.exists()]
        for sub in ("cur", "new", "tmp"):
            (maildir / sub).mkdir(parents=True, exist_ok=True)
        for letter in letters:
            path = maildir / "cur" / letter.name
            path.write_bytes(letter.mail)
            os.utime(path, (letter.when, letter.when))
            _give_to_server(path)
        for path in (*made, *(maildir / sub for sub in ("cur", "new", "tmp"))):
            _give_to_server(path)
        return len(letters)

    def deliver(self, address: str, mail: bytes) -> None:
        """Deliver as a mail server would (LMTP): it arrives in INBOX, unseen."""
        with smtplib.LMTP(self.host, self.lmtp_port) as lmtp:
            lmtp.sendmail("sender@kyakusaki.example", [address], mail)

    def renumber(self, address: str, uidvalidity: int, folder: str = "INBOX") -> None:
        """Give a folder another UIDVALIDITY."""
        self.admin("mailbox", "update", "-u", address, "--uid-validity", str(uidvalidity), folder)

    def reset_uidvalidity(self, address: str, folder: str = "INBOX") -> int:
        """Have the server number a folder's mails anew; returns the new UIDVALIDITY."""
        with self.phone(address) as phone:
            uidvalidity = phone.uidvalidity(folder) + 1
        self.renumber(address, uidvalidity, folder)
        return uidvalidity

    def record(self, address: str) -> None:
        """Write down from now on what the sessions of a user ask for."""
        records = self._records(address)
        records.mkdir(parents=True)
        for path in (records.parent, records):
            _give_to_server(path)

    def commands(self, address: str) -> list[str]:
        """The commands of recorded sessions, without tags and without those of `phone`."""
        sessions = sorted(self._records(address).glob("*.in"), key=lambda path: path.stat().st_mtime)
        told = [path.read_text(encoding="utf-8", errors="replace").splitlines() for path in sessions]
        return commands_of(line.partition(" ")[2] for lines in told for line in lines)

    def _records(self, address: str) -> Path:
        return self.directory / "mail" / address / "rawlog"

    def phone(self, address: str) -> "contextlib.AbstractContextManager[Phone]":
        """Log in as the user with another mail program."""
        return logged_in(self.host, self.imap_port, address, self.passwords[address])

    def admin(self, *words: str) -> str:
        """Run doveadm and return what it prints."""
        argv = ["doveadm", "-c", str(self.directory / "dovecot.conf"), *words]
        return subprocess.run(argv, check=True, capture_output=True, text=True).stdout

    def personality(self, text: str) -> None:
        """Replace the extra settings (`auth_failure_delay = 2 secs`, …) and let the server read them again."""
        assert self.process is not None
        reloads = self.log().count(_RELOADED)
        (self.directory / "personality.conf").write_text(text, encoding="utf-8")
        self.process.send_signal(signal.SIGHUP)
        end = time.monotonic() + 10
        while self.log().count(_RELOADED) == reloads:
            if time.monotonic() > end:
                raise TimeoutError("Dovecot did not read its settings again")
            time.sleep(0.02)

    def log(self) -> str:
        """What the server has logged: logins, failures, and each change of a mailbox."""
        path = self.directory / "dovecot.log"
        return path.read_text(encoding="utf-8", errors="replace") if path.exists() else ""

    def changes(self) -> list[str]:
        """The changes that clients made to mailboxes: copy, save, flag_change, delete, expunge, mailbox_*."""
        return [line for line in self.log().splitlines() if "imap(" in line and _is_change(line)]


_CHANGES = ("copy from", "save:", "flag_change:", "delete:", "undelete:", "expunge:", "mailbox_")


def _is_change(line: str) -> bool:
    return any(word in line for word in _CHANGES)


def _give_to_server(path: Path) -> None:
    if os.geteuid() == 0:
        shutil.chown(path, "mail", "mail")


@contextlib.contextmanager
def running_dovecot(
    authority: CertificateAuthority,
    *,
    certificate: Certificate | None = None,
    personality: str = "",
    host: str = LOOPBACK,
    imap_port: int | None = None,
    imaps_port: int | None = None,
) -> Iterator[Dovecot]:
    """Run a Dovecot until the block ends. Without a certificate it has one for `host` and localhost."""
    with short_dir() as directory:
        server = Dovecot(
            directory,
            authority,
            certificate or authority.issue(host, "localhost"),
            imap_port or free_port(host),
            imaps_port or free_port(host),
            free_port(host),
            host,
        )
        (directory / "mail").mkdir()
        _give_to_server(directory / "mail")
        (directory / "users").touch()
        (directory / "personality.conf").write_text(personality, encoding="utf-8")
        (directory / "dovecot.conf").write_text(_configuration(server), encoding="utf-8")
        try:
            server.start()
            yield server
        finally:
            server.stop()


@pytest.fixture(scope="session")
def authority(tmp_path_factory: pytest.TempPathFactory) -> CertificateAuthority:
    """The tests' own certificate authority."""
    return CertificateAuthority(tmp_path_factory.mktemp("ca"))


@pytest.fixture(scope="session")
def dovecot(authority: CertificateAuthority) -> Iterator[Dovecot]:
    """A Dovecot for the whole session; each test uses an address of its own."""
    if shutil.which("dovecot") is None:
        pytest.skip("Dovecot is not installed")
    with running_dovecot(authority) as server:
        yield server


def _whose() -> str:
    """Mail belongs to the system's user "mail" under root, else to whoever runs the tests."""
    if os.geteuid() == 0:
        return "mail_uid = mail\nmail_gid = mail\n"
    user, group = getpass.getuser(), grp.getgrgid(pwd.getpwuid(os.geteuid()).pw_gid).gr_name
    return f"""\
default_internal_user = {user}
default_internal_group = {group}
default_login_user = {user}
mail_uid = {user}
mail_gid = {group}
service anvil {{
  chroot =
}}
service imap-login {{
  chroot =
}}
"""


def _configuration(server: Dovecot) -> str:
    home = server.directory
    return f"""\
base_dir = {home}/run
state_dir = {home}/state
log_path = {home}/dovecot.log
instance_name = {home.name}
listen = {server.host}
protocols = imap lmtp
first_valid_uid = 1
{_whose()}
ssl = yes
ssl_cert = <{server.certificate.cert}
ssl_key = <{server.certificate.key}
disable_plaintext_auth = no
auth_mechanisms = plain login
auth_failure_delay = 0 secs
auth_verbose = yes
mail_location = maildir:{home}/mail/%u
mail_max_userip_connections = 50
mail_fsync = never
mail_plugins = notify mail_log
rawlog_dir = %h/rawlog
plugin {{
  mail_log_events = delete undelete expunge copy save flag_change mailbox_create mailbox_delete mailbox_rename
}}
passdb {{
  driver = passwd-file
  args = scheme=PLAIN username_format=%u {home}/users
}}
userdb {{
  driver = passwd-file
  args = username_format=%u {home}/users
  default_fields = home={home}/mail/%u
  override_fields = home={home}/mail/%u
}}
userdb {{
  driver = static
  args = home={home}/mail/%u allow_all_users=yes
}}
service imap-login {{
  inet_listener imap {{
    port = {server.imap_port}
  }}
  inet_listener imaps {{
    port = {server.imaps_port}
    ssl = yes
  }}
}}
service lmtp {{
  inet_listener lmtp {{
    address = {server.host}
    port = {server.lmtp_port}
  }}
}}
service anvil {{
  # without this each wrong password delays the next login from the same address, the right ones as well
  unix_listener anvil-auth-penalty {{
    mode = 0
  }}
}}
service auth {{
  unix_listener postfix-auth {{
    mode = 0666
  }}
}}
namespace inbox {{
  inbox = yes
  separator = /
  mailbox 送信済みアイテム {{
    auto = subscribe
    special_use = \\Sent
  }}
  mailbox 下書き {{
    auto = create
    special_use = \\Drafts
  }}
}}
!include_try {home}/personality.conf
"""
