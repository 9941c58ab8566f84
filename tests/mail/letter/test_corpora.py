import json
from pathlib import Path
from typing import Any

import pytest

from fumibako.mail.letter import clean_html, describe, fingerprint, parse, part_bytes

from .mails import CORPORA

ALL = sorted(CORPORA.glob("**/*.eml"))
# Read by another program too. `malformed` is left out: what broken mail means is a matter of taste.
SECOND_OPINIONS = sorted([*CORPORA.glob("mail-parser/rfc/*.eml"), *CORPORA.glob("mail-parser/legacy/*.eml")])
# Where ours differs on purpose.
RAW_CHARACTERS_READ = {"010", "020", "022", "052"}  # a subject in raw Latin-1, and a body: theirs gives U+FFFD


def name(path: Path) -> str:
    return str(path.relative_to(CORPORA))


def second_opinion(path: Path) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    opinion = json.loads(path.with_suffix(".json").read_text())
    return opinion, opinion["parts"]


def test_the_corpora_are_there() -> None:
    assert len(ALL) > 390
    assert len(SECOND_OPINIONS) > 30


@pytest.mark.parametrize("path", ALL, ids=name)
def test_every_awkward_mail_is_read(path: Path) -> None:
    raw = path.read_bytes()
    letter = parse(raw)
    json.dumps(describe(raw, path.name)).encode()
    assert len(fingerprint(raw)) == 33
    assert len(letter.snippet) <= 200
    for attachment in letter.attachments:
        assert len(part_bytes(raw, attachment.part)) == attachment.size
        assert attachment.name
    if letter.html:
        clean_html(letter.html, lambda content_id: None)


@pytest.mark.parametrize("path", SECOND_OPINIONS, ids=name)
def test_subject_and_text_are_what_a_second_parser_reads(path: Path) -> None:
    opinion, parts = second_opinion(path)
    letter = parse(path.read_bytes())
    if path.stem in RAW_CHARACTERS_READ and path.parent.name == "legacy":
        assert "\ufffd" not in letter.subject
        return
    subjects = [header["value"].get("Text") for header in parts[0]["headers"] if header["name"] == "subject"]
    assert letter.subject == (subjects[0] if subjects else "")
    bodies = [parts[number]["body"] for number in opinion["text_body"]]
    if all("Text" in body or "InlineBinary" in body for body in bodies):
        expected = "".join(body.get("Text", "") for body in bodies)
        assert "".join(letter.text.split()) == "".join(expected.split())


@pytest.mark.parametrize("path", SECOND_OPINIONS, ids=name)
def test_no_attachment_of_a_second_parser_is_missing(path: Path) -> None:
    opinion, parts = second_opinion(path)
    raw = path.read_bytes()
    ours = {_unix(part_bytes(raw, attachment.part)) for attachment in parse(raw).attachments}
    for number in opinion["attachments"]:
        body = parts[number]["body"]
        if "Binary" in body:
            assert _unix(bytes(body["Binary"])) in ours


def _unix(data: bytes) -> bytes:
    """The second opinions were made from mails with line ends of Unix."""
    return data.replace(b"\r\n", b"\n")


@pytest.mark.parametrize("path", sorted(CORPORA.glob("bounces/rfc3464-*.eml")), ids=name)
def test_delivery_reports_are_mail_of_programs(path: Path) -> None:
    raw = path.read_bytes()
    if b"multipart/report" in raw[:4000].lower():
        assert parse(raw).auto
