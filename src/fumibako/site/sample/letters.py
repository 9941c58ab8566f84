"""Reads the texts and writes letters from them: form of address, greeting, signature, quotation, date in words."""

import random
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from html import escape
from importlib.resources import files

from fumibako.site.sample.texts.cast import Person

JST = timezone(timedelta(hours=9), "JST")
WEEKDAYS = "月火水木金土日"
NEW_YEAR = {(12, 29), (12, 30), (12, 31), (1, 1), (1, 2), (1, 3)}
GREETINGS = ("いつもお世話になっております。", "お世話になっております。", "大変お世話になっております。")
SEASONS = {
    1: "寒さ厳しき折、皆様お変わりございませんでしょうか。",
    4: "新年度を迎え、お忙しいことと存じます。",
    8: "厳しい暑さが続いております。",
    12: "年の瀬も押し迫り、ご多用のことと存じます。",
}


@dataclass(frozen=True)
class Block:
    """One `===` or `---` block of a text file; see `texts/__init__.py`."""

    options: Mapping[str, str]
    lines: tuple[str, ...]
    answers: tuple["Block", ...] = field(default=())

    @property
    def subject(self) -> str:
        """The first line."""
        return self.lines[0]

    @property
    def body(self) -> str:
        """All lines but the first."""
        return "\n".join(self.lines[1:])

    @property
    def text(self) -> str:
        """All lines."""
        return "\n".join(self.lines)


def _block(text: str, answers: tuple[Block, ...] = ()) -> Block:
    head, *lines = text.rstrip("\n").split("\n")
    options = (word.partition("=") for word in re.split(r" (?=\w+=)", head.strip()))
    return Block({key: value for key, _, value in options}, tuple(lines), answers)


def blocks(*names: str) -> Iterator[Block]:
    """The blocks of these text files."""
    for name in names:
        text = files("fumibako.site.sample.texts").joinpath(name).read_text("utf-8")
        for whole in re.split(r"(?m)^=== ", text)[1:]:
            first, *answers = re.split(r"(?m)^--- ", whole)
            yield _block(first, tuple(_block(answer) for answer in answers))


def working_days_after(moment: datetime, number: int) -> datetime:
    """The same time of day, so many working days later; 0 is the same day."""
    while number > 0:
        moment += timedelta(days=1)
        number -= moment.weekday() < 5 and (moment.month, moment.day) not in NEW_YEAR
    return moment


@dataclass(frozen=True)
class Days:
    """`{day[3]}` in a text: the date three working days after the letter, in words."""

    moment: datetime

    def __getitem__(self, number: int) -> str:
        day = working_days_after(self.moment, number)
        return f"{day.month}月{day.day}日（{WEEKDAYS[day.weekday()]}）"


@dataclass(frozen=True)
class Months:
    """`{month[1]}` in a text: the month after that of the letter, in words."""

    moment: datetime

    def __getitem__(self, number: int | str) -> str:
        return f"{(self.moment.month - 1 + int(number)) % 12 + 1}月"


def fill_in(text: str, moment: datetime, values: Mapping[str, object]) -> str:
    """Fill in the {…} of a text that is written at this moment. Values may hold {…} themselves."""
    known = {**values, "day": Days(moment), "month": Months(moment), "time": f"{moment:%H:%M}"}
    return text.format_map(known).format_map(known)


def signature(person: Person, *, within: bool) -> str:
    """What stands beneath a letter; `within` the own firm it is shorter."""
    if person.style.mailer.startswith("iPhone"):
        return f"{person.name}\n{person.company}"
    if within:
        return f"-- \n{person.section} {person.name}（内線{person.phone[-3:]}）"
    line = "-" * 44 if person.style.charset == "iso-2022-jp" else "━" * 20
    who = f"{person.company}\n{person.section}　{person.name}" if person.section else f"{person.company}　{person.name}"
    return f"{line}\n{who}\nTEL {person.phone}\nE-mail {person.address}\n{line}"


def letter_text(body: str, sender: Person, to: Person, moment: datetime, rng: random.Random) -> str:
    """The whole of a letter's own text."""
    if not sender.says:  # machines do not greet
        return body
    if body.isascii():
        return f"{body}\n\nBest regards,\n{sender.english}\nPhone {sender.phone}"
    if sender.inside and to.inside:
        name = to.section if to.section.endswith("室") else f"{to.family}さん"
        says = sender.says.removeprefix("サンプル商事の")
        return f"{name}\n\nお疲れ様です。{says}です。\n\n{body}\n\n{signature(sender, within=True)}"
    place = f"{to.company}\n{to.section}　" if rng.random() < 0.5 and to.section else f"{to.company}\n"
    greeting = rng.choice(GREETINGS) + f"\n{sender.says}です。"
    if moment.month in SEASONS and rng.random() < 0.3:
        greeting += f"\n{SEASONS[moment.month]}"
    return f"{place}{to.family} 様\n\n{greeting}\n\n{body}\n\n{signature(sender, within=False)}"


def quotation(text: str, sender: Person, moment: datetime, subject: str, how: str) -> str:
    """The letter that is answered, as the answering person's mail program quotes it."""
    if how == "none":
        return ""
    if how == "original":
        sent = f"{moment.year}年{moment.month}月{moment.day}日 {moment:%H:%M}"
        head = f"-----Original Message-----\nFrom: {sender.name} <{sender.address}>\nSent: {sent}\nSubject: {subject}\n"
        return f"\n\n{head}\n{text}"
    lines = "\n".join(f"> {line}".rstrip() for line in text.split("\n"))
    return f"\n\n{moment:%Y/%m/%d %H:%M}、{sender.name} のメール:\n{lines}"


def as_html(text: str) -> str:
    """A plain letter as mail programs write it in HTML."""
    lines = "<br>\n".join(escape(line) for line in text.split("\n"))
    font = "font-family:'Yu Gothic','Hiragino Sans',sans-serif;font-size:14px"
    return f'<html lang="ja"><body><div style="{font}">{lines}</div></body></html>\n'


def newsletter(block: Block, home: str, cid: str) -> tuple[str, str]:
    """The text and the HTML of a newsletter; a line that begins with # is a heading, each has a remote picture."""
    text, html = [block.subject, "=" * 40], []
    for number, line in enumerate(block.lines[1:]):
        if line.startswith("# "):
            text += ["", f"■ {line[2:]}"]
            image = f'<img src="https://img.{home}/{cid}/{number}.jpg" width="560" height="160" alt="">'
            html.append(f'<tr><td>{image}<h2 style="font-size:18px;color:#1f4e79">{escape(line[2:])}</h2></td></tr>')
        else:
            text.append(line)
            html.append(f'<tr><td style="font-size:14px;line-height:1.8">{escape(line)}</td></tr>')
    if block.options.get("cid"):
        html.append(f'<tr><td><img src="cid:{cid}@{home}" alt="グラフ"></td></tr>')
    stop = f"https://www.{home}/stop?m={cid}"
    text += ["", "-" * 40, f"配信停止: {stop}"]
    beacon = f'<img src="https://track.{home}/open/{cid}.gif" width="1" height="1" alt="">'
    page = (
        '<html lang="ja"><head><meta charset="utf-8"><style>body{margin:0;background:#f4f4f4}</style></head><body>'
        '<table width="600" align="center" cellpadding="12" style="background:#fff">'
        f'<tr><td><h1 style="font-size:22px">{escape(block.subject)}</h1></td></tr>{"".join(html)}'
        f'<tr><td style="font-size:12px;color:#777"><a href="{stop}">配信停止はこちら</a>{beacon}</td></tr>'
        "</table></body></html>\n"
    )
    return "\n".join(text), page
