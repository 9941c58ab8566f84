"""How fast mails are read: `python bench/letter.py`, mails a second for each kind, beside the standard library.

CPU time of this process, so that neighbours count little; the kinds are those of the import's bench (70 % small, 25 %
newsletters of 50 KB, 5 % with a file of 450 KB) and those that have to stay cheap.
"""

import base64
import email
import email.policy
import random
import time
from collections.abc import Callable

from fumibako.mail.letter import clean_html, fingerprint, parse

SECONDS = 0.7  # of CPU for each figure
SENTENCE = "いつもお世話になっております。株式会社文箱の山田です。御見積書を添付いたしますので、ご確認ください。"


def headers() -> bytes:
    received = b"".join(
        b"Received: from mx%d.example.jp (mx%d.example.jp [192.0.2.%d])\r\n\tby mail.example.co.jp with ESMTPS;"
        b" Tue, 25 Nov 2025 10:00:0%d +0900\r\n" % (n, n, n, n)
        for n in range(5)
    )
    subject = base64.b64encode("御見積書送付の件".encode()).decode()
    return (
        received
        + (
            f"From: =?UTF-8?B?{base64.b64encode('山田 太郎'.encode()).decode()}?= <taro@example.jp>\r\n"
            'To: a@example.jp, "Sato, Jiro" <jiro@example.jp>\r\nCc: office@example.jp\r\n'
            f"Subject: =?UTF-8?B?{subject}?=\r\nDate: Tue, 25 Nov 2025 10:00:00 +0900\r\n"
            "Message-ID: <1@example.jp>\r\nReferences: <a@example.jp>\r\n <b@example.jp>\r\nMIME-Version: 1.0\r\n"
        ).encode()
    )


def newsletter() -> str:
    row = f'<tr><td style="padding:8px;color:#333"><a href="https://example.jp/?id=1"><b>{SENTENCE}</b></a></td></tr>\n'
    return f"<html><head><style>{'.a{color:red} ' * 300}</style></head><body><table>{row * 200}</table></body></html>"


def kinds() -> dict[str, bytes]:
    html = b"Content-Type: text/html; charset=UTF-8\r\nContent-Transfer-Encoding: base64\r\n\r\n" + base64.encodebytes(
        newsletter().encode()
    )
    plain = b"Content-Type: text/plain; charset=UTF-8\r\n\r\n" + (SENTENCE + "\r\n").encode() * 20
    file = (
        b"Content-Type: application/pdf; name=a.pdf\r\nContent-Disposition: attachment; filename=a.pdf\r\n"
        b"Content-Transfer-Encoding: base64\r\n\r\n" + base64.encodebytes(random.Random(1).randbytes(450_000))
    )

    def multipart(subtype: bytes, *parts: bytes) -> bytes:
        body = b"".join(b"--=_edge\r\n" + part + b"\r\n" for part in parts)
        return headers() + b'Content-Type: multipart/%s; boundary="=_edge"\r\n\r\n' % subtype + body + b"--=_edge--\r\n"

    jis = b"Content-Type: text/plain; charset=ISO-2022-JP\r\n\r\n" + (SENTENCE + "\r\n").encode("iso-2022-jp") * 40
    return {
        "plain, UTF-8": headers() + plain,
        "plain, ISO-2022-JP": headers() + jis,
        "plain, ISO-2022-JP with ①": headers() + jis + b"\x1b$B-!\x1b(B",
        "text and HTML": multipart(b"alternative", plain, html),
        "HTML alone": headers() + html,
        "with a file": multipart(b"mixed", plain, file),
    }


def per_second(work: Callable[[], object]) -> float:
    work()
    rounds = 0
    started = time.process_time()
    while (spent := time.process_time() - started) < SECONDS:
        work()
        rounds += 1
    return rounds / spent


def standard_library(raw: bytes) -> None:
    message = email.message_from_bytes(raw, policy=email.policy.default)
    for part in message.walk():
        if not part.is_multipart():
            part.get_content()
    for name in ("subject", "from", "to", "cc", "date"):
        str(message[name])


def main() -> None:
    print(f"{'kind':<28}{'KB':>7}{'parse/s':>10}{'stdlib/s':>10}{'fingerprint/s':>15}")
    for kind, raw in kinds().items():
        read = per_second(lambda raw=raw: parse(raw))
        standard = per_second(lambda raw=raw: standard_library(raw))
        marked = per_second(lambda raw=raw: fingerprint(raw))
        print(f"{kind:<28}{len(raw) / 1000:>7.0f}{read:>10.0f}{standard:>10.0f}{marked:>15.0f}")
    html = newsletter()
    cleaned = per_second(lambda: clean_html(html, lambda _: None))
    print(f"\nclean_html, {len(html.encode()) / 1000:.0f} KB: {cleaned:.0f}/s")
    for depth in (1_000, 10_000, 50_000):
        deep = b"".join(b"Content-Type: multipart/mixed; boundary=b%d\r\n\r\n--b%d\r\n" % (n, n) for n in range(depth))
        started = time.process_time()
        parse(deep)
        print(f"{depth} nested parts: {time.process_time() - started:.3f} s")


if __name__ == "__main__":
    main()
