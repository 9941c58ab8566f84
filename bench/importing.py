"""How long after 「次へ」 on the folder page the first mail can be read, and how an import compares with a bare drain.

    python -m bench.importing [MAILS]

One real Dovecot with MAILS mails (default 10,000, about 487 MB: 70 % 3-10 KB, 25 % 50 KB, 5 % 600 KB), one worker
process, one embedded PostgreSQL, all on this machine. The drain reads the same mails over TLS and throws them away.
"""

import base64
import os
import random
import socket
import ssl
import sys
import tempfile
import time
from pathlib import Path

ADDRESS, PASSWORD = "bench@example.jp", "bench"
PARTS = {
    "owner": "fumibako.site.command worker",
    "children": "fumibako.archive.child",
    "server": "dovecot/imap",
    "postgres": "postgres: ",
}


WORDS = ["お世話になっております", "見積書", "納期", "ご確認", "株式会社", "東京", "図面", "請求", "発注", "添付"]


def mails(count: int):
    """Mails of the usual mixture, each different: text, HTML of a newsletter, and text with an attached file."""
    chance = random.Random(1)
    noise = os.urandom(1 << 20)
    for n in range(count):
        kind = chance.random()
        words = " ".join(chance.choice(WORDS) for _ in range(40))
        head = (
            f"From: Suzuki {n % 97} <s{n % 97}@kyakusaki{n % 20}.example>\r\nTo: {ADDRESS}\r\nSubject: mail {n}\r\n"
            f"Date: Mon, 2 Nov 2026 10:00:{n % 60:02d} +0900\r\nMessage-ID: <{n}@kyakusaki.example>\r\n"
            f"References: <{n - 1}@kyakusaki.example>\r\nMIME-Version: 1.0\r\n"
        )
        if kind < 0.7:
            text = f"{n} {words}\r\n" * (chance.randrange(3_000, 10_000) // len(words.encode()) + 1)
            yield f"{head}Content-Type: text/plain; charset=utf-8\r\n\r\n{text}".encode()
        elif kind < 0.95:
            cell = f'<td style="padding:4px 8px;border:1px solid #ccc;font-family:sans-serif" width="120">{words}</td>'
            rows = f"<tr>{cell}</tr>\r\n" * (50_000 // len(cell.encode()) + 1)
            yield f"{head}Content-Type: text/html; charset=utf-8\r\n\r\n<p>{n}</p><table>{rows}</table>\r\n".encode()
        else:
            at = chance.randrange(len(noise) - 440_000)
            file = base64.encodebytes(noise[at : at + 440_000]).replace(b"\n", b"\r\n")
            yield (
                (
                    f'{head}Content-Type: multipart/mixed; boundary="b"\r\n\r\n--b\r\n'
                    f"Content-Type: text/plain; charset=utf-8\r\n\r\n{n} {words}\r\n--b\r\n"
                    'Content-Type: application/pdf; name="a.pdf"\r\nContent-Transfer-Encoding: base64\r\n'
                    'Content-Disposition: attachment; filename="a.pdf"\r\n\r\n'
                ).encode()
                + file
                + b"--b--\r\n"
            )


def cpu(words: dict[str, str]) -> dict[str, float]:
    """CPU seconds so far of the processes whose command line holds these words, by name."""
    ticks = os.sysconf("SC_CLK_TCK")
    spent = dict.fromkeys(words, 0.0)
    for process in Path("/proc").glob("[0-9]*"):
        try:
            command = (process / "cmdline").read_bytes().replace(b"\0", b" ").decode()
            fields = (process / "stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue
        for name, word in words.items():
            if word in command:
                spent[name] += (int(fields[11]) + int(fields[12])) / ticks
    return spent


def drain(port: int, cafile: Path) -> float:
    """Seconds to read all mails over TLS with one FETCH and throw them away."""
    context = ssl.create_default_context(cafile=str(cafile))
    with (
        socket.create_connection(("127.0.0.1", port)) as plain,
        context.wrap_socket(plain, server_hostname="127.0.0.1") as connection,
    ):
        started = time.perf_counter()
        connection.sendall(
            f"a LOGIN {ADDRESS} {PASSWORD}\r\nb EXAMINE INBOX\r\nc UID FETCH 1:* (UID BODY.PEEK[])\r\n".encode()
        )
        buffer, end = bytearray(1 << 20), b""
        while b"\r\nc OK" not in end:
            length = connection.recv_into(buffer)
            end = (end + bytes(buffer[max(0, length - 200) : length]))[-400:]
        return time.perf_counter() - started


def main(count: int) -> None:
    """Run it and print."""
    os.environ["DJANGO_SETTINGS_MODULE"] = "tests.settings"
    import django
    from django.conf import settings

    from fumibako.site import postgres

    with tempfile.TemporaryDirectory(prefix="fb-", dir="/tmp") as folder:
        Path(folder).chmod(0o755)
        with postgres.started(Path(folder) / "postgres", {}) as cluster:
            place = {"HOST": str(cluster.sockets), "PORT": "", "NAME": "postgres", "USER": "postgres", "PASSWORD": ""}
            settings.DATABASES["default"].update(place)
            django.setup()
            from django.core.management import call_command

            call_command("migrate", verbosity=0)
            _bench(count, Path(folder), f"postgresql://postgres@/postgres?host={cluster.sockets}")


def _bench(count: int, folder: Path, url: str) -> None:
    from fumibako import linking
    from fumibako.archive.models import Message
    from tests.lab.ca import CertificateAuthority
    from tests.lab.dovecot import running_dovecot
    from tests.lab.installation import installation
    from tests.lab.ports import free_port
    from tests.world import make_world

    world = make_world()
    (folder / "ca").mkdir()
    (folder / "data").mkdir()
    with running_dovecot(CertificateAuthority(folder / "ca")) as dovecot:
        dovecot.add_user(ADDRESS, PASSWORD)
        dovecot.fill(ADDRESS, mails(count))
        drain(dovecot.imaps_port, dovecot.authority.cafile)
        drained = drain(dovecot.imaps_port, dovecot.authority.cafile)
        with installation(url, folder / "data", dovecot) as fumibako:
            fumibako.start_worker()
            server = linking.ServerWish(host="127.0.0.1", port=str(dovecot.imaps_port))
            nobody = linking.ServerWish(host="127.0.0.1", port=str(free_port()))
            secrets = linking.SecretsTyped(PASSWORD)
            draft = linking.start_link(world.person, ADDRESS, secrets, imap=server, smtp=nobody)
            proving = time.perf_counter()
            while linking.get_draft(world.person, draft.public_id).state not in {"proved", "failed"}:
                time.sleep(0.01)
            proved = time.perf_counter() - proving
            rows = linking.folders_to_choose(world.person, draft.public_id)
            parts = {
                "owner": "fumibako.site.command worker",
                "children": "fumibako.archive.child",
                "server": "dovecot/imap",
            }
            parts["postgres"] = "postgres: "
            before = cpu(PARTS)
            started = time.perf_counter()
            mailbox = linking.finish_link(world.person, draft.public_id, linking.suggest(rows, "all"))
            while not Message.objects.exists():
                time.sleep(0.005)
            first = time.perf_counter() - started
            while Message.objects.count() < count:
                time.sleep(0.1)
            stored = time.perf_counter() - started
            spent = {name: seconds - before[name] for name, seconds in cpu(PARTS).items()}
            while linking.get_mailbox(world.person, mailbox).state != "live":
                time.sleep(0.02)
    print(f"{count} mails; proof of both logins and folders {proved:.2f} s")
    print(f"first mail readable after finish {first:.2f} s; all stored {stored:.2f} s")
    print("CPU seconds: " + ", ".join(f"{name} {seconds:.1f}" for name, seconds in spent.items()))
    print(f"bare TLS drain {drained:.2f} s; ratio {stored / drained:.2f}")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 10_000)
