import hashlib
import json

from fumibako.mail.letter import describe

from .mails import mail, multipart, part, text_part


def test_a_mail_is_described_as_the_command_prints_it() -> None:
    raw = multipart(
        b"mixed",
        text_part("本文"),
        part(
            b"Content-Type: text/csv", b"Content-Disposition: attachment; filename*=UTF-8''%E8%A1%A8.csv", body=b"1,2"
        ),
        headers=(
            b"Message-ID: <1@example.jp>",
            "Subject: 件".encode(),
            b"From: A <a@example.jp>",
            b"To: b@example.jp",
            b"Date: Tue, 25 Nov 2025 10:00:00 +0900",
        ),
    )
    described = describe(raw, "dir/a.eml")
    assert json.loads(json.dumps(described)) == {
        "file": "dir/a.eml",
        "message_id": "1@example.jp",
        "subject": "件",
        "from": [{"name": "A", "address": "a@example.jp"}],
        "to": [{"name": "", "address": "b@example.jp"}],
        "cc": [],
        "date": "2025-11-25T10:00:00+09:00",
        "text": "本文",
        "html": None,
        "attachments": [
            {"name": "表.csv", "content_type": "text/csv", "size": 3, "sha256": hashlib.sha256(b"1,2").hexdigest()}
        ],
    }


def test_what_is_missing_is_empty_or_null() -> None:
    described = describe(mail(b"X-Other: a"), "a.eml")
    assert (described["date"], described["html"], described["from"], described["message_id"]) == (None, None, [], "")
