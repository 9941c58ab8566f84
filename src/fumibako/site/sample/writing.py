"""Writes letters one after the other: keeps threads, quotes, marks what has been answered."""

import random
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from email.utils import format_datetime

from fumibako.site.sample.compose import File, Letter, compose
from fumibako.site.sample.enclosures import enclose
from fumibako.site.sample.letters import Block, as_html, fill_in, letter_text, newsletter, quotation
from fumibako.site.sample.papers import picture
from fumibako.site.sample.texts.cast import EUC, HOME, PEOPLE, Person

BROKEN_DATE = "Thu, 31 Feb 2026 25:61:00 +0900"
ME = PEOPLE["yamada"]


@dataclass
class Written:
    """A letter on its way: its bytes, and what an answer to it needs to know."""

    sender: Person
    to: Person
    subject: str
    own: str  # without the quotation
    text: str
    moment: datetime
    ids: tuple[str, ...]
    raw: bytes
    options: Mapping[str, str]
    answered: bool = False

    @property
    def ours(self) -> bool:
        """Whether we wrote it."""
        return self.sender is ME


def _trace(sender: Person, moment: datetime, rng: random.Random) -> tuple[tuple[str, str], ...]:
    host, ours = f"mx.{sender.domain}", f"mx.{HOME}"
    queue = f"{rng.getrandbits(40):010X}"
    arrived = format_datetime(moment + timedelta(seconds=2))
    return (
        ("Return-Path", f"<{sender.address}>"),
        (
            "Received",
            f"from {host} ({host} [192.0.2.{sum(sender.domain.encode()) % 200 + 10}])\r\n"
            f"\tby {ours} (Postfix) with ESMTPS id {queue}\r\n\tfor <{ME.address}>; {arrived}",
        ),
        ("Authentication-Results", f"{ours};\r\n\tspf=pass smtp.mailfrom={sender.domain}"),
    )


def _extra(options: Mapping[str, str], sender: Person) -> tuple[tuple[str, str], ...]:
    if name := options.get("list"):
        stop = f"<https://www.{sender.domain}/stop>, <mailto:stop@{sender.domain}>"
        return ("List-Id", f"<{name}.{sender.domain}>"), ("List-Unsubscribe", stop), ("Precedence", "bulk")
    if options.get("auto"):
        return ("Auto-Submitted", "auto-generated"), ("X-Auto-Response-Suppress", "All")
    return ()


class Desk:
    """Writes with one source of chance, so that the same seed writes the same letters."""

    def __init__(self, seed: str) -> None:
        self.rng = random.Random(seed)  # noqa: S311  (the letters must come out the same each time)

    def write(
        self,
        block: Block,
        sender: Person,
        to: Person,
        moment: datetime,
        values: Mapping[str, object],
        *,
        after: Written | None = None,
        answers: bool = False,
    ) -> Written:
        """Write a block as a letter. `after` puts it in a thread; with `answers` it is a Re: that quotes."""
        options = block.options
        subject = f"Re: {after.subject.removeprefix('Re: ')}" if after and answers else block.subject
        body = block.text if after and answers and block.subject != "Re:" else block.body
        subject, body = fill_in(subject, moment, values), fill_in(body, moment, values)
        own = letter_text(body, sender, to, moment, self.rng)
        files = enclose(options.get("file", ""), values, moment, self.rng)
        html = as_html(own) if sender.style.html else ""
        if options.get("list"):
            filled = replace(block, lines=(subject, *body.split("\n")))
            own, html, files = self._news(filled, sender)
        text = own
        if after and answers:
            chain = after.text if sender.style.quote == "original" else after.own
            text += quotation(chain, after.sender, after.moment, after.subject, sender.style.quote)
            html = as_html(text) if html else ""
        number = f"{self.rng.getrandbits(64):016x}.{moment:%Y%m%d%H%M%S}"
        message_id = "" if options.get("nomid") else f"<{number}@{sender.domain}>"
        letter = Letter(
            sender=sender.mail,
            to=(to.mail,),
            cc=tuple(PEOPLE[key].mail for key in options.get("cc", "").split(",") if key),
            subject=subject,
            text=text,
            date=BROKEN_DATE if options.get("baddate") else moment,
            message_id=message_id,
            references=after.ids if after else (),
            html=html,
            files=files,
            before=() if sender is ME else _trace(sender, moment, self.rng),
            extra=_extra(options, sender),
        )
        if after and answers and sender is ME:
            after.answered = True
        ids = (*(after.ids if after else ()), *([message_id] if message_id else []))
        raw = self._bytes(letter, sender, to, options, number.replace(".", ""))
        return Written(sender, to, subject, own, text, moment, ids, raw, options)

    def _news(self, block: Block, sender: Person) -> tuple[str, str, tuple[File, ...]]:
        issue = f"{self.rng.getrandbits(32):08x}"
        text, html = newsletter(block, sender.domain, issue)
        bars = [self.rng.randrange(20, 110) for _ in range(12)]
        cid = f"{issue}@{sender.domain}"
        files = (picture("graph.png", bars, (31, 78, 121), cid=cid),) if block.options.get("cid") else ()
        return text, html, files

    def _bytes(self, letter: Letter, sender: Person, to: Person, options: Mapping[str, str], seed: str) -> bytes:
        style = EUC if options.get("style") == "euc" else sender.style
        if sender is ME and to.style.charset == "iso-2022-jp":
            style = replace(style, charset="iso-2022-jp", encoding="7bit")
        try:
            return compose(letter, style, seed)
        except UnicodeEncodeError:  # as mail programs do when a letter is not in the charset
            return compose(letter, replace(style, charset="utf-8", encoding="base64"), seed)
