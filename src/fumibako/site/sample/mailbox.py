"""The sample mailbox: about 200 mails of some fourteen months, written from the texts when a store is new."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from fumibako.site.sample.letters import JST, Block, blocks, working_days_after
from fumibako.site.sample.store import Store
from fumibako.site.sample.texts.cast import PEOPLE
from fumibako.site.sample.writing import ME, Desk, Written

INBOX, SENT = "INBOX", "送信済み"
PROJECTS = {"tokyo-shoji.example": "案件/東京商事", "minato-kogyo.example": "案件/みなと工業"}
FILED_AFTER = timedelta(days=40)  # then a customer's mail is moved from the INBOX to its project's folder
LEFT_UNREAD = timedelta(days=3)
SEED = "fumibako"
FILLED = "filled"  # the counter that keeps when the mailbox was written, in seconds since 1970


@dataclass(frozen=True)
class Placed:
    """A mail in its folder, as the server shows it."""

    folder: str
    raw: bytes
    internal_date: datetime
    flags: frozenset[str]


def fill(store: Store, now: datetime) -> None:
    """Fill an empty store with the sample mailbox, in one transaction; a filled one is left alone."""
    with store.transaction():
        if store.folders():
            return
        folders = {name: store.add_folder(name).id for name in (INBOX, SENT, *PROJECTS.values())}
        for mail in sample_mails(now):
            store.add(folders[mail.folder], mail.raw, mail.internal_date, mail.flags)
        store.set_counter(FILLED, int(now.timestamp()))


def sample_mails(now: datetime) -> list[Placed]:
    """All mails of the mailbox as it is at this moment, oldest first; the same moment gives the same bytes."""
    desk = Desk(SEED)
    return [_place(mail, desk, now) for mail in written_until(now, desk)]


def written_until(now: datetime, desk: Desk) -> list[Written]:
    """All letters of the sample up to this moment, oldest first."""
    local = now.astimezone(JST).replace(microsecond=0)
    return sorted([*_deals(desk, local), *_letters(desk, local)], key=lambda mail: mail.moment)


def _place(mail: Written, desk: Desk, now: datetime) -> Placed:
    age = now - mail.moment
    flags = {"\\Answered"} if mail.answered else set()
    if mail.ours or mail.answered or not (mail.options.get("unread") or age < LEFT_UNREAD):
        flags.add("\\Seen")
    if mail.options.get("step") == "order" and desk.rng.random() < 0.4:
        flags.add("\\Flagged")
    received = PROJECTS.get(mail.sender.domain, INBOX) if age > FILED_AFTER else INBOX
    folder = SENT if mail.ours else received
    return Placed(folder, mail.raw, mail.moment + timedelta(seconds=desk.rng.randrange(2, 9)), frozenset(flags))


def _at_work(desk: Desk, moment: datetime) -> datetime:
    return moment.replace(hour=desk.rng.randrange(9, 18), minute=desk.rng.randrange(60), second=desk.rng.randrange(60))


def _before_weekend(moment: datetime) -> datetime:
    return moment - timedelta(days=max(0, moment.weekday() - 4))


def _letters(desk: Desk, now: datetime) -> Iterator[Written]:
    for block in blocks("letters_within.txt", "letters_outside.txt", "news.txt"):
        moment = _moment(desk, block, now)
        sender = PEOPLE[block.options["from"]]
        if moment >= now:
            continue
        last = desk.write(block, sender, ME, moment, {})
        yield last
        for answer in block.answers:
            moment += timedelta(hours=float(answer.options["after"]), seconds=desk.rng.randrange(60))
            moment += timedelta(days=7 - moment.weekday() if moment.weekday() > 4 else 0)
            if moment >= now:
                break
            writer = PEOPLE[answer.options.get("from", "yamada")]
            other = sender if writer is ME else ME
            last = desk.write(answer, writer, other, moment, {}, after=last, answers=True)
            yield last


def _moment(desk: Desk, block: Block, now: datetime) -> datetime:
    """When a letter was written: `on` is the last time that this day of the year was, `ago` counts days."""
    options = block.options
    second = desk.rng.randrange(60)
    if "at" not in options:
        return now - timedelta(days=float(options["ago"]))
    hour, minute = map(int, options["at"].split(":"))
    if "on" in options:
        month, day = map(int, options["on"].split("-"))
        moment = now.replace(month=month, day=day, hour=hour, minute=minute, second=second)
        moment = moment if moment < now else moment.replace(year=moment.year - 1)
    else:
        moment = now.replace(hour=hour, minute=minute, second=second) - timedelta(days=int(options["ago"]))
    return moment if options.get("auto") else _before_weekend(moment)


def _deals(desk: Desk, now: datetime) -> Iterator[Written]:
    variants: dict[str, list[Block]] = {}
    for block in blocks("steps_offer.txt", "steps_order.txt"):
        variants.setdefault(block.options["step"], []).append(block)
    for choices in variants.values():
        desk.rng.shuffle(choices)
    for number, deal in enumerate(blocks("deals.txt"), 1):
        yield from _deal(desk, deal, number, variants, now)


def _deal(desk: Desk, deal: Block, number: int, variants: dict[str, list[Block]], now: datetime) -> Iterator[Written]:
    customer, last = PEOPLE[deal.options["who"]], None
    moment = _at_work(desk, _before_weekend(now - timedelta(days=int(deal.options["start"]))))
    values = _values(deal, number, moment)
    for step in deal.options["steps"].split(","):
        block = _next_variant(variants[step], heavy="heavy" in deal.options)
        days = int(block.options["after"])
        if days:
            moment = _at_work(desk, working_days_after(moment, days))
        elif last:
            moment += timedelta(minutes=desk.rng.randrange(20, 150))
        if moment >= now:
            return
        sender, to = (ME, customer) if block.options["by"] == "us" else (customer, ME)
        answers = block.subject == "Re:"
        last = desk.write(block, sender, to, moment, values, after=last, answers=answers)
        yield last


def _next_variant(choices: list[Block], *, heavy: bool) -> Block:
    """The variant that was used longest ago and fits; what needs setting up is for heavy goods only."""
    block = next(block for block in choices if heavy or "heavy" not in block.options)
    choices.remove(block)
    choices.append(block)
    return block


def _values(deal: Block, number: int, moment: datetime) -> dict[str, object]:
    options = deal.options
    quantity, price = int(options["qty"]), int(options["price"])
    total = quantity * price
    sections = {key: part.text for part in deal.answers for key in part.options}
    return {
        **sections,
        "company": PEOPLE[options["who"]].company,
        "product": options["product"],
        "qty": quantity,
        "unit": options["unit"],
        "price": f"{price:,}",
        "total": f"{total:,}",
        "tax": f"{total // 10:,}",
        "taxed": f"{total + total // 10:,}",
        "no": f"Q{moment:%y%m}-{number * 7 + 11:03}",
        "order": f"S{moment:%y%m}-{number * 5 + 30:03}",
    }
