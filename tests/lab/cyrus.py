"""A real Cyrus on loopback, in a chroot of its own. Mailboxes make themselves at the first login or delivery."""

import contextlib
import smtplib
import subprocess
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

import pytest

from .ca import Certificate, CertificateAuthority
from .chroot import Chroot, File, copied
from .mailserver import Phone, append_many, commands_of, logged_in
from .ports import free_port, wait_port

LOOPBACK = "127.0.0.1"
ADMIN = "cyrus@example.jp"
_STATE = "/var/lib/cyrus"
_PROGRAMS = "/usr/lib/cyrus/bin"


@dataclass
class Cyrus:
    """A running server. "/" separates levels, and every folder stands beside INBOX."""

    chroot: Chroot
    authority: CertificateAuthority
    imap_port: int
    imaps_port: int
    lmtp_port: int
    name: str = "cyrus"
    host: str = LOOPBACK
    passwords: dict[str, str] = field(default_factory=dict)
    process: "subprocess.Popen[bytes] | None" = None

    def prepare(self, certificate: Certificate) -> None:
        """Write the configuration and make the empty spool."""
        settings = _SETTINGS.format(state=_STATE, admin=ADMIN)
        services = _SERVICES.format(programs=_PROGRAMS, imap=self.imap_port, imaps=self.imaps_port, lmtp=self.lmtp_port)
        self.chroot.write(
            [
                File("etc/imapd.conf", settings.encode()),
                File("etc/cyrus.conf", services.encode()),
                File("etc/cyrus.pem", certificate.cert.read_bytes()),
                File("etc/cyrus.key", certificate.key.read_bytes()),
            ]
        )
        self.chroot.run("sh", "-c", f"rm -rf {_STATE}; mkdir -p {_STATE}/spool; chown -R cyrus:mail {_STATE}")
        self.chroot.run("su", "cyrus", "-s", "/bin/sh", "-c", f"{_PROGRAMS}/makedirs")
        self.add_user(ADMIN, "cyrus")

    def start(self) -> None:
        """Start it; returns once it answers."""
        words = (f"{_PROGRAMS}/master", "-p", "/run/cyrus-master.pid")
        self.process = self.chroot.start(*words, port=self.imaps_port)
        for port in (self.imap_port, self.lmtp_port):
            wait_port(self.process, port)

    def stop(self) -> None:
        """End it and every session that it serves."""
        if self.process is not None:
            self.chroot.stop(self.process)
            self.process = None

    def add_user(self, address: str, password: str) -> None:
        """Let a user log in with the address; done when the server knows it."""
        local, _, domain = address.partition("@")
        self.chroot.run("saslpasswd2", "-p", "-c", "-f", "/etc/sasldb2", "-u", domain, local, stdin=password)
        self.chroot.run("chown", "cyrus:mail", "/etc/sasldb2")
        self.passwords[address] = password

    def folder_name(self, *levels: str) -> str:
        """The name of a folder beside INBOX, given its levels."""
        return "/".join(levels)

    def fill(self, address: str, mails: Iterable[bytes], *, folder: str = "INBOX", seen: bool = True) -> int:
        """Put mails into a folder, an hour between them and the newest now; returns how many."""
        letters = list(mails)
        if folder != "INBOX":
            with self.phone(address) as phone:
                phone.create(folder)
        append_many(self.host, self.imap_port, address, self.passwords[address], folder, letters, seen=seen)
        return len(letters)

    def deliver(self, address: str, mail: bytes) -> None:
        """Deliver as a mail server would (LMTP): it arrives in INBOX, unseen."""
        with smtplib.LMTP(self.host, self.lmtp_port) as lmtp:
            lmtp.sendmail("sender@kyakusaki.example", [address], mail)

    def reset_uidvalidity(self, address: str, folder: str = "INBOX") -> int:
        """Make a folder anew with the same mails, since Cyrus has no other way; returns the new UIDVALIDITY."""
        name = "user/" + (address if folder == "INBOX" else address.replace("@", f"/{folder}@"))
        with self.phone(address) as phone:
            mails = phone.mails(folder)
        with logged_in(self.host, self.imap_port, ADMIN, self.passwords[ADMIN]) as admin:
            admin.allow_all(name, ADMIN)
            admin.delete(name)
        with self.phone(address) as phone:
            if folder != "INBOX":
                phone.create(folder)
        append_many(self.host, self.imap_port, address, self.passwords[address], folder, mails, seen=True)
        with self.phone(address) as phone:
            return phone.uidvalidity(folder)

    def record(self, address: str) -> None:
        """Write down from now on what the sessions of a user ask for."""
        self.chroot.run("sh", "-c", f"mkdir -p {_STATE}/log/{address}; chown -R cyrus:mail {_STATE}/log")

    def commands(self, address: str) -> list[str]:
        """The commands of recorded sessions, without tags and without those of `phone`."""
        told = self.chroot.run("sh", "-c", f"cat {_STATE}/log/{address}/*")
        return commands_of(line.rpartition("<")[2] for line in told.splitlines())

    def phone(self, address: str) -> "contextlib.AbstractContextManager[Phone]":
        """Log in as the user with another mail program."""
        return logged_in(self.host, self.imap_port, address, self.passwords[address])


@contextlib.contextmanager
def running_cyrus(authority: CertificateAuthority) -> Iterator[Cyrus]:
    """Run a Cyrus until the block ends."""
    with copied("cyrus") as chroot:
        server = Cyrus(chroot, authority, free_port(), free_port(), free_port())
        server.prepare(authority.issue(LOOPBACK, "localhost"))
        try:
            server.start()
            yield server
        finally:
            server.stop()


@pytest.fixture(scope="session")
def cyrus(authority: CertificateAuthority) -> Iterator[Cyrus]:
    """A Cyrus for the whole session; each test uses an address of its own."""
    with running_cyrus(authority) as server:
        yield server


_SETTINGS = """\
configdirectory: {state}
defaultpartition: default
partition-default: {state}/spool
servername: localhost
admins: {admin}
virtdomains: userid
defaultdomain: lab.invalid
sasl_pwcheck_method: auxprop
sasl_auxprop_plugin: sasldb
sasl_sasldb_path: /etc/sasldb2
sasl_mech_list: PLAIN LOGIN
allowplaintext: yes
tls_server_cert: /etc/cyrus.pem
tls_server_key: /etc/cyrus.key
altnamespace: yes
unixhierarchysep: yes
autocreate_quota: 0
autocreate_post: yes
autocreate_inbox_folders: Sent|Drafts|Trash
autocreate_subscribe_folders: Sent|Drafts|Trash
xlist-sent: Sent
xlist-drafts: Drafts
xlist-trash: Trash
specialusealways: yes
conversations: yes
duplicatesuppression: no
imapidlepoll: 60
maxlogins_per_user: 0
"""

_SERVICES = """\
START {{
  recover cmd="{programs}/ctl_cyrusdb -r"
}}
SERVICES {{
  imap cmd="{programs}/imapd -U 30" listen="127.0.0.1:{imap}" prefork=0 maxchild=200
  imaps cmd="{programs}/imapd -s -U 30" listen="127.0.0.1:{imaps}" prefork=0 maxchild=200
  lmtp cmd="{programs}/lmtpd -a" listen="127.0.0.1:{lmtp}" prefork=0 maxchild=20
}}
EVENTS {{
  checkpoint cmd="{programs}/ctl_cyrusdb -c" period=30
}}
DAEMON {{
  idled cmd="{programs}/idled"
}}
"""
