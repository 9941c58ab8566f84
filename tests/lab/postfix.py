"""A real Postfix for submission, beside a Dovecot that checks its passwords (SASL) and takes its mail (LMTP).

Nothing leaves the machine: whatever is not for `LOCAL_DOMAINS` is refused at RCPT. Needs root.
"""

import contextlib
import os
import pwd
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from fumibako.mail.connect import Security, Server

from .ca import Certificate
from .dovecot import Dovecot
from .ports import free_port, running, short_dir

LOCAL_DOMAINS = ("example.jp", "example.com")
QUEUES = ("active", "bounce", "corrupt", "defer", "deferred", "flush", "hold", "incoming", "private", "saved", "trace")
_DAEMONS = "/usr/lib/postfix/sbin"


@dataclass
class Postfix:
    """A running server."""

    directory: Path
    host: str
    submission_port: int
    smtps_port: int

    @property
    def tls(self) -> Server:
        """The port with TLS from the first byte."""
        return Server(self.host, self.smtps_port, Security.TLS)

    @property
    def starttls(self) -> Server:
        """The port that begins in the clear."""
        return Server(self.host, self.submission_port, Security.STARTTLS)

    def log(self) -> str:
        """What the server has logged: connections, logins, refusals, mails."""
        path = self.directory / "log" / "mail.log"
        return path.read_text(encoding="utf-8", errors="replace") if path.exists() else ""


@contextlib.contextmanager
def running_postfix(
    dovecot: Dovecot,
    *,
    certificate: Certificate | None = None,
    host: str | None = None,
    submission_port: int | None = None,
    smtps_port: int | None = None,
    settings: str = "",
) -> Iterator[Postfix]:
    """Run a Postfix until the block ends, with the Dovecot's certificate and address if none are given.

    `settings` are lines of main.cf (`smtpd_client_restrictions = reject`, …).
    """
    where = host or dovecot.host
    with short_dir() as directory:
        server = Postfix(directory, where, submission_port or free_port(where), smtps_port or free_port(where))
        _lay_out(directory)
        etc = directory / "etc"
        (etc / "main.cf").write_text(_main(server, dovecot, certificate or dovecot.certificate) + settings + "\n")
        (etc / "master.cf").write_text(_master(server))
        argv = [f"{_DAEMONS}/master", "-c", etc, "-d"]
        ports = (server.submission_port, server.smtps_port)
        with running(argv, *ports, host=where, log=directory / "output.log"):
            yield server


def _lay_out(directory: Path) -> None:
    """The folders with their owners, as "postfix check" makes them (which takes 1.7 s)."""
    for name in ("etc", "queue", "data", "log"):
        (directory / name).mkdir()
    own, group = "postfix", "postdrop"
    pwd.getpwnam(own)
    for name in ("data", "log"):
        shutil.chown(directory / name, own)
    for name in [
        "active",
        "bounce",
        "corrupt",
        "defer",
        "deferred",
        "flush",
        "hold",
        "incoming",
        "private",
        "saved",
        "trace",
    ]:
        (directory / "queue" / name).mkdir()
        shutil.chown(directory / "queue" / name, own)
    os.chmod(directory / "queue" / "private", 0o700)
    (directory / "queue" / "pid").mkdir()
    for name, mode in (("maildrop", 0o1730), ("public", 0o710)):
        (directory / "queue" / name).mkdir()
        shutil.chown(directory / "queue" / name, own, group)
        os.chmod(directory / "queue" / name, mode)


def _main(server: Postfix, dovecot: Dovecot, certificate: Certificate) -> str:
    home = server.directory
    return f"""\
compatibility_level = 3.6
config_directory = {home}/etc
queue_directory = {home}/queue
data_directory = {home}/data
command_directory = /usr/sbin
daemon_directory = {_DAEMONS}
meta_directory = /etc/postfix
shlib_directory = /usr/lib/postfix
mail_owner = postfix
setgid_group = postdrop
maillog_file = {home}/log/mail.log
maillog_file_prefixes = {home}
inet_interfaces = all
inet_protocols = ipv4
mynetworks =
myhostname = mail.example.jp
mydestination =
local_recipient_maps =
alias_maps =
alias_database =
virtual_mailbox_domains = {", ".join(LOCAL_DOMAINS)}
virtual_mailbox_maps = static:ok
virtual_transport = lmtp:inet:{dovecot.host}:{dovecot.lmtp_port}
default_transport = error:5.1.2 this machine sends nothing outside
relay_transport = $default_transport
local_transport = $default_transport
transport_maps =
relayhost =
disable_dns_lookups = yes
smtp_host_lookup = native
lmtp_host_lookup = native
smtpd_peername_lookup = no
smtpd_sasl_auth_enable = yes
smtpd_sasl_type = dovecot
smtpd_sasl_path = {dovecot.directory}/run/postfix-auth
smtpd_tls_cert_file = {certificate.cert}
smtpd_tls_key_file = {certificate.key}
smtpd_tls_security_level = may
smtpd_tls_auth_only = yes
smtpd_relay_restrictions = permit_sasl_authenticated, reject_unauth_destination
smtputf8_enable = yes
"""


def _master(server: Postfix) -> str:
    return f"""\
{server.host}:{server.submission_port} inet n - n - - smtpd
  -o smtpd_tls_security_level=encrypt
{server.host}:{server.smtps_port} inet n - n - - smtpd
  -o smtpd_tls_wrappermode=yes
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
tlsmgr unix - - n 1000? 1 tlsmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
verify unix - - n - 1 verify
proxymap unix - - n - - proxymap
error unix - - n - - error
retry unix - - n - - error
discard unix - - n - - discard
lmtp unix - - n - - lmtp
anvil unix - - n - 1 anvil
postlog unix-dgram n - n - 1 postlogd
"""
