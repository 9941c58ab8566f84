"""The sample mailbox as its owner's own mail program sees it: what is in it, what it says, mail sent to it."""

import contextlib
import imaplib
import smtplib
import ssl
from collections.abc import Iterator
from dataclasses import dataclass
from email.message import EmailMessage
from pathlib import Path

FOLDERS = {"INBOX": "INBOX", "送信済み": "&kAFP4W4IMH8-"}
"""Names for people and names on the wire."""

HOST = "127.0.0.1"


@dataclass(frozen=True)
class SampleMailbox:
    """How to log in to the sample server, and where."""

    address: str
    password: str
    imap_port: int
    smtp_port: int
    ca: Path

    @property
    def tls(self) -> ssl.SSLContext:
        """Trusts the sample's own authority, and nothing else."""
        return ssl.create_default_context(cafile=str(self.ca))

    @contextlib.contextmanager
    def examined(self, folder: str = "INBOX") -> Iterator[imaplib.IMAP4_SSL]:
        """The folder, opened so that looking changes nothing."""
        with imaplib.IMAP4_SSL(HOST, self.imap_port, ssl_context=self.tls) as imap:
            imap.login(self.address, self.password)
            imap.select(FOLDERS[folder], readonly=True)
            yield imap

    def count(self, folder: str = "INBOX", which: str = "ALL") -> int:
        """How many mails of the folder are such (a key of SEARCH, RFC 3501 section 6.4.4)."""
        with self.examined(folder) as imap:
            return len(imap.search(None, which)[1][0].split())

    def flags(self, message_id: str) -> set[str]:
        """The flags of a mail of the INBOX."""
        with self.examined() as imap:
            line = imap.fetch(self._number(imap, message_id), "(FLAGS)")[1][0]
            return {flag.decode() for flag in imaplib.ParseFlags(line)}

    def raw(self, message_id: str) -> bytes:
        """A mail of the INBOX, byte for byte."""
        with self.examined() as imap:
            return bytes(imap.fetch(self._number(imap, message_id), "(BODY.PEEK[])")[1][0][1])

    def _number(self, imap: imaplib.IMAP4_SSL, message_id: str) -> str:
        return str(imap.search(None, "HEADER", "Message-ID", message_id)[1][0].split()[-1].decode())

    def send(self, message: EmailMessage) -> None:
        """Deliver a mail to the INBOX, through the sample's own submission server."""
        with smtplib.SMTP_SSL(HOST, self.smtp_port, context=self.tls) as smtp:
            smtp.login(self.address, self.password)
            smtp.send_message(message, from_addr=self.address, to_addrs=[self.address])
