"""A real Courier on loopback, in a chroot of its own.

"." separates levels and every folder is below INBOX (Maildir++, with names in UTF-8 on the disk).
"""

import contextlib
import re
import subprocess
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

import pytest

from .ca import Certificate, CertificateAuthority
from .chroot import Chroot, File, copied
from .mailserver import Phone, commands_of, filed, logged_in
from .ports import free_port

LOOPBACK = "127.0.0.1"
VMAIL = 5000  # the user id that mail belongs to, as scripts/bring-servers made it
_RECORD = "imaplog.dat"
_AUTHORITY_SOCKET = "run/courier/authdaemon/socket"


@dataclass
class Courier:
    """A running server. Mail lies in home/vmail/ADDRESS/Maildir of the chroot."""

    chroot: Chroot
    authority: CertificateAuthority
    imap_port: int
    imaps_port: int
    per_address: int = 50
    name: str = "courier"
    host: str = LOOPBACK
    passwords: dict[str, str] = field(default_factory=dict)
    processes: "list[subprocess.Popen[bytes]]" = field(default_factory=list)

    def prepare(self, certificate: Certificate) -> None:
        """Write the configuration."""
        pem = certificate.cert.read_bytes() + certificate.key.read_bytes()
        settings = _SETTINGS.format(record=_RECORD, per_address=self.per_address)
        self.chroot.write(
            [
                File("etc/courier/lab.pem", pem),
                File("etc/courier/lab.sh", settings.encode()),
                File("etc/courier/userdb", b"", mode=0o600),
            ]
        )
        # imapd runs as the owner of the mail and reads its settings there
        self.chroot.run(
            "sh", "-c", "chmod 755 /etc/courier; mkdir -p /run/courier/authdaemon /var/lib/courier; makeuserdb"
        )
        self.chroot.run("sed", "-i", 's/^authmodulelist=.*/authmodulelist="authuserdb"/', "/etc/courier/authdaemonrc")

    def start(self) -> None:
        """Start it; returns once it answers."""
        self.processes.append(self.chroot.start("/usr/lib/courier/courier-authlib/authdaemond"))
        self.chroot.wait_for(_AUTHORITY_SOCKET)
        for kind, port in (("plain", self.imap_port), ("tls", self.imaps_port)):
            self.processes.append(self.chroot.start("sh", "/etc/courier/lab.sh", kind, str(port), port=port))

    def stop(self) -> None:
        """End it and every session that it serves."""
        while self.processes:
            self.chroot.stop(self.processes.pop())
        self.chroot.run("rm", "-f", f"/{_AUTHORITY_SOCKET}")

    def add_user(self, address: str, password: str) -> None:
        """Let a user log in with the address; done when the server knows it."""
        home = f"/home/vmail/{address}"
        script = (
            'mkdir -p "$1" && maildirmake "$1/Maildir" && chown -R vmail:vmail "$1" &&'
            ' userdb "$2" set uid=5000 gid=5000 home="$1" mail="$1/Maildir" systempw="$(userdbpw -md5)" && makeuserdb'
        )
        self.chroot.run("sh", "-c", script, "sh", home, address, stdin=f"{password}\n")
        self.passwords[address] = password

    def folder_name(self, *levels: str) -> str:
        """The name of a folder beside INBOX, given its levels."""
        return ".".join(("INBOX", *levels))

    def fill(
        self, address: str, mails: Iterable[bytes], *, folder: str = "INBOX", seen: bool = True, opened: bool = True
    ) -> int:
        """Put mails straight into a Maildir, an hour between them and the newest now; returns how many.

        Before the folder is first opened. File times become INTERNALDATE, order becomes UID order. A folder that no
        program has ever opened to write (``opened``) gets another UIDVALIDITY whenever it is looked at.
        """
        maildir = self._maildir(address, folder)
        # Courier counts a line's end as two bytes, so the files have one
        letters = filed((mail.replace(b"\r\n", b"\n") for mail in mails), seen=seen)
        files = [File(f"{maildir}/cur/{one.name}", one.mail, VMAIL, mtime=one.when) for one in letters]
        empty = [File(f"{maildir}/{sub}/.made", b"", VMAIL) for sub in ("cur", "new", "tmp")]
        mark = [] if folder == "INBOX" else [File(f"{maildir}/maildirfolder", b"", VMAIL)]
        self.chroot.write([*mark, *empty, *files])
        if opened:
            with self.phone(address) as phone:
                phone.open(folder)
        return len(files)

    def deliver(self, address: str, mail: bytes) -> None:
        """Deliver as a mail server would, into the Maildir: it arrives in INBOX, unseen."""
        maildir = self._maildir(address, "INBOX")
        (letter,) = filed([mail.replace(b"\r\n", b"\n")], seen=False, newest=time.time())
        name = letter.name.partition(":")[0]
        self.chroot.write([File(f"{maildir}/tmp/{name}", letter.mail, VMAIL, mtime=letter.when)])
        self.chroot.run("mv", f"/{maildir}/tmp/{name}", f"/{maildir}/new/{name}")

    def reset_uidvalidity(self, address: str, folder: str = "INBOX") -> int:
        """Have the server number a folder's mails anew; returns the new UIDVALIDITY."""
        with self.phone(address) as phone:
            uidvalidity = phone.uidvalidity(folder) + 1
        numbers = f"{self._maildir(address, folder)}/courierimapuiddb"
        self.chroot.write([File(numbers, f"1 {uidvalidity} 1\n".encode(), VMAIL)])
        with self.phone(address) as phone:
            phone.open(folder)  # else the numbers do not last
        return uidvalidity

    def record(self, address: str) -> None:
        """Write down from now on what the sessions of a user ask for."""
        self.chroot.write([File(f"{self._maildir(address, 'INBOX')}/{_RECORD}", b"", VMAIL)])

    def commands(self, address: str) -> list[str]:
        """The commands of recorded sessions, without tags and without those of `phone`."""
        told = self.chroot.read(f"{self._maildir(address, 'INBOX')}/{_RECORD}")
        return commands_of(_joined(told.decode(errors="replace").splitlines()))

    def phone(self, address: str) -> "contextlib.AbstractContextManager[Phone]":
        """Log in as the user with another mail program."""
        return logged_in(self.host, self.imap_port, address, self.passwords[address])

    def _maildir(self, address: str, folder: str) -> str:
        home = f"home/vmail/{address}/Maildir"
        below = folder.removeprefix("INBOX").removeprefix(".")
        return f"{home}/.{below}" if below else home


@contextlib.contextmanager
def running_courier(authority: CertificateAuthority, *, per_address: int = 50) -> Iterator[Courier]:
    """Run a Courier until the block ends. `per_address`: connections; it closes those above without a word."""
    with copied("courier") as chroot:
        server = Courier(chroot, authority, free_port(), free_port(), per_address)
        server.prepare(authority.issue(LOOPBACK, "localhost"))
        try:
            server.start()
            yield server
        finally:
            server.stop()


@pytest.fixture(scope="session")
def courier(authority: CertificateAuthority) -> Iterator[Courier]:
    """A Courier for the whole session; each test uses an address of its own."""
    with running_courier(authority) as server:
        yield server


_BRACKETS = {"LPAREN": "(", "RPAREN": ")", "LBRACKET": "[", "RBRACKET": "]"}


def _joined(lines: Iterable[str]) -> Iterator[str]:
    """Courier records a command word by word, one a line, until EOL."""
    words: list[str] = []
    for line in lines:
        kind, _, word = line.removeprefix("READ: ").partition(": ")
        if not line.startswith("READ: "):
            continue
        if kind == "EOL":
            yield re.sub(r" ?\[ ?| (?=[])])|(?<=\() ", lambda gap: gap[0].strip(), " ".join(words))
            words = []
        else:
            words.append(word or _BRACKETS.get(kind, kind))


_SETTINGS = """\
set -a
. /etc/courier/imapd
. /etc/courier/imapd-ssl
prefix=/usr exec_prefix=/usr bindir=/usr/bin sbindir=/usr/sbin
TLS_CERTFILE=/etc/courier/lab.pem
TLS_DHPARAMS=
TLS_CACHEFILE=
IMAP_STARTTLS=YES
IMAP_CAPABILITY="$IMAP_CAPABILITY AUTH=PLAIN"
IMAP_IDLE_TIMEOUT=1
IMAPDEBUGFILE={record}
kind=$1
port=$2
[ "$kind" != tls ] || IMAP_TLS=1
set +a
listen="couriertcpd -address=127.0.0.1 -maxprocs=400 -maxperip={per_address} -nodnslookup -noidentlookup"
login="/usr/lib/courier/courier/imaplogin /usr/bin/imapd Maildir"
case $kind in
    plain) exec $listen "$port" $login ;;
    tls) exec $listen "$port" /usr/bin/couriertls -server -tcpd $login ;;
esac
"""
