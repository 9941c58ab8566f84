"""One person's mailbox and mail at every address of the product, for everybody whose they are not.

The walk takes the routes from the URL configuration. A new route whose parameters it cannot fill makes it fail: say in
`ours_of` what of this mailbox its parameter names.
"""

import json
import re
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from email.message import EmailMessage
from typing import Any

import pytest
from django.db import connection
from django.http import HttpResponse
from django.test import Client

from fumibako import accounts, archive
from fumibako.accounts.models import OneTimeLink, Person
from fumibako.archive.models import Message
from fumibako.linking import seal_secret
from fumibako.linking.models import LinkDraft, Mailbox
from tests.company import PASSWORD, join
from tests.web.routes import Route, routes
from tests.web.rows import draft_row, failed_draft, found, letter, proved_draft, store
from tests.world import World

pytestmark = pytest.mark.lab

ADDRESS = "marker-box@himitsu.example"
OTHER_ADDRESSES = ("marker-draft@himitsu.example", "marker-failed@himitsu.example", "marker-wait@himitsu.example")
PICTURE = b"\x89PNG marker-picture"
LETTERS = (
    "marker-subject",
    "marker-text",
    "marker-html",
    "marker-file",
    "marker-content",
    "marker-sender",
    "marker-folder",
    PICTURE.decode("latin-1"),
)
"""What only the mailbox's own person may see, an admin neither (design rule 16)."""

MARKERS = (ADDRESS, *OTHER_ADDRESSES, *LETTERS)

ADMINS_OWN = frozenset({"people", "member", "member_link", "member_stop", "member_resume"})
"""Pages that tell an admin of a member: that they have linked what address, and how it stands."""

EVERYTHING = {
    "address": "new@elsewhere.example",
    "password": "another secret",
    "smtp_password": "another secret",
    "imap_password": "another secret",
    "imap_host": "imap.elsewhere.example",
    "sent_copy": "off",
    "current": PASSWORD,
    "name": "改名",
    "login": "renamed",
    "email": "new@elsewhere.example",
    "role": "member",
    "language": "en",
    "time_zone": "Asia/Tokyo",
    "range": "all",
}
"""A form that has every field of every page, so that nothing is refused for what it lacks."""


def letter_with_everything() -> bytes:
    """A mail with HTML, a picture of its own and a file, a marker in each."""
    mail = letter("marker-subject", "marker-text", sender="marker-sender <marker-sender@kyakusaki.example>")
    mail.add_alternative('<p>marker-html <img src="cid:picture@x"></p>', subtype="html")
    html = mail.get_payload(1)
    assert isinstance(html, EmailMessage)
    html.add_related(PICTURE, "image", "png", cid="<picture@x>")
    mail.add_attachment(b"marker-content", "application", "octet-stream", filename="marker-file.bin")
    return mail.as_bytes()


@dataclass
class House:
    """A mailbox of a member, with all that hangs on it, and the public ids by which addresses name it."""

    owner: Person
    box: Mailbox
    unlinked: Mailbox
    message: Message
    drafts: list[LinkDraft]
    link: OneTimeLink
    folder: str


def house(owner: Person) -> House:
    """Everything that a person can own."""
    world = World(owner.organization, owner)
    box = world.add_mailbox(ADDRESS, secret="marker-secret", aliases=["marker-alias@himitsu.example"])
    inbox, sent = world.add_folder(box), world.add_folder(box, "marker-folder", "sent")
    project = world.add_folder(box, "marker-folder-project", "other")
    message = store(box, inbox, letter_with_everything())
    for folder in (inbox, sent, project):
        store(box, folder, letter("marker-subject", "marker-text"))
    unlinked = world.add_mailbox("marker-unlinked@himitsu.example", state="unlinked")
    folders = found("INBOX", "inbox", (1, 1, 1)), found("marker-folder", "sent")
    waiting = draft_row(owner, OTHER_ADDRESSES[2])
    waiting.imap_sealed = seal_secret("marker-secret", owner=waiting.public_id, service="imap")
    waiting.save()
    failed = failed_draft(owner, "wrong_credentials", words="NO marker-text", address=OTHER_ADDRESSES[1])
    drafts = [proved_draft(owner, *folders, address=OTHER_ADDRESSES[0]), failed, waiting]
    accounts.make_link(owner, by=None)
    return House(owner, box, unlinked, message, drafts, OneTimeLink.objects.get(used_at=None), project.public_id)


def ours_of(house: House, route: Route, reader: Person | None) -> Iterator[dict[str, object]]:
    """All ways to fill a route's parameters with what is this house's, as `reader` could come to know it."""
    files = range(house.message.files.count())
    known: dict[str, list[object]] = {
        "draft": [draft.public_id for draft in house.drafts],
        "mailbox": [house.box.public_id, house.unlinked.public_id],
        "message": [house.message.public_id],
        "person": [house.owner.public_id],
        "n": list(files),
    }
    tokens: dict[str, list[object]] = {
        "one_time_link": [house.owner.public_id, bytes(house.link.token_hash).hex()],
        "letter_picture": [archive.sign_picture(reader or house.owner, house.message.public_id, n) for n in files]
        if reader
        else [house.message.public_id],
    }
    if route.name in tokens:
        known["token"] = tokens[route.name]
    unknown = set(route.parameters) - known.keys()
    assert not unknown, f"{route.address}: what of a person's mailbox is {unknown}?"
    filled: list[dict[str, object]] = [{}]
    for parameter in route.parameters:
        filled = [{**values, parameter: value} for values in filled for value in known[parameter]]
    yield from filled


def queries_of(house: House, route: Route) -> Iterator[dict[str, str]]:
    """What a query could ask a list for."""
    yield {}
    if not route.parameters:
        yield from (
            {"box": house.box.public_id},
            {"folder": house.folder},
            {"q": "marker"},
            {"folder": "unreadable"},
            {"show": "attention"},
        )


@pytest.fixture
def ours(member: Person) -> House:
    return house(member)


def browser(person: Person | None) -> Client:
    """A browser at which this person is logged in."""
    client = Client(headers={"host": "localhost"})
    if person is not None:
        client.force_login(person)
    return client


def outsider(who: str, ours: House) -> Person | None:
    """Somebody whose the mailbox is not."""
    organization = ours.owner.organization
    if who == "nobody":
        return None
    if who in {"stranger", "strange admin"}:
        elsewhere = accounts.create_organization("有限会社よそ")
        join(elsewhere, "first", "一番", role="admin")
        return join(elsewhere, "yoso", "与曽 次郎", role="admin" if who == "strange admin" else "member")
    person = join(organization, "sasaki", "佐々木 花", role="admin" if who == "admin" else "member")
    if who == "stopped":
        join(organization, "boss", "社長", role="admin")
        accounts.stop_person(person, by=None)
    return person


OUTSIDERS = ("stranger", "strange admin", "colleague", "admin", "stopped", "nobody")


def rows() -> Counter[tuple[str, str]]:
    """Every row of every table, as text."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public' ORDER BY 1")
        tables = [name for (name,) in cursor.fetchall()]
        everything: Counter[tuple[str, str]] = Counter()
        for table in tables:
            cursor.execute(f'SELECT to_jsonb(t)::text FROM "{table}" t')
            everything.update((table, text) for (text,) in cursor.fetchall())
    return everything


OWN_COLUMN = {"person": "id", "session": "person_id", "audit_event": "actor_id", "link_draft": "person_id"}
"""Rows that a walk may leave behind: one's own profile, logins, audit lines and drafts."""


def is_walkers_own(table: str, row: dict[str, Any], walker: Person | None) -> bool:
    """Whether a row is what somebody may change or make who has come to every page and sent every form."""
    if table == "wrong_login":
        return True
    if walker is None:
        return False
    if table in OWN_COLUMN and row[OWN_COLUMN[table]] == walker.pk:
        return True
    own_admin = walker.is_admin and table in {"person", "one_time_link"}
    return own_admin and row["organization_id"] == walker.organization_id


@contextmanager
def nothing_of_others_changes(walker: Person | None) -> Iterator[None]:
    """The database is left as it was, but for what is the walker's own."""
    before = rows()
    yield
    after = rows()
    for change in (before - after, after - before):
        for table, text in change:
            assert is_walkers_own(table, json.loads(text), walker), (table, text)


def answer_text(response: HttpResponse) -> str:
    """All that an answer says, in its body and its headers."""
    body = b"".join(response.streaming_content) if response.streaming else response.content  # type: ignore[attr-defined]
    return "\n".join([body.decode("latin-1"), body.decode("utf-8", "replace"), str(response.headers)])


def assert_says_nothing(response: HttpResponse, markers: tuple[str, ...], where: str) -> None:
    said = [marker for marker in markers if marker in answer_text(response)]
    assert not said, f"{where} says {said}"


def walk(client: Client, house: House, reader: Person | None, *, skip: frozenset[str] = frozenset()) -> Iterator[Any]:
    """Ask every route, filled with what is of this house, by GET and by POST: route, method, path, answer."""
    for route in routes():
        if route.name in skip:
            continue
        for values in ours_of(house, route, reader):
            path = route.path(values)
            for query in queries_of(house, route):
                yield route, "GET", path, client.get(path, query)
            if route.name != "logout":
                form = {**EVERYTHING, "box": house.box.public_id}
                yield route, "POST", path, client.post(path, form)


REFUSED = {403, 404, 405}


@pytest.mark.parametrize("who", OUTSIDERS)
def test_no_address_gives_anything_of_a_mailbox_to_whom_it_is_not(ours: House, who: str) -> None:
    walker = outsider(who, ours)
    client = browser(walker)
    skip = ADMINS_OWN if who == "admin" else frozenset()
    with nothing_of_others_changes(walker):
        for route, method, path, response in walk(client, ours, walker, skip=skip):
            where = f"{method} {path} ({route.name}) for {who}"
            assert_says_nothing(response, MARKERS, where)
            if route.parameters and who not in {"stopped", "nobody"}:
                assert response.status_code in REFUSED, f"{where}: {response.status_code}"
            elif route.parameters:
                sent_to_log_in = response.status_code == 302 and response["Location"].startswith("/login/")
                assert sent_to_log_in or response.status_code in REFUSED, f"{where}: {response.status_code}"
    assert not Message.objects.filter(opening__isnull=False).exists()


def test_an_admin_sees_which_address_a_member_has_linked_and_nothing_of_its_mail(ours: House, admin: Person) -> None:
    client = browser(admin)
    for route in routes():
        if route.name in ADMINS_OWN:
            for values in ours_of(ours, route, admin):
                assert_says_nothing(client.get(route.path(values)), LETTERS + OTHER_ADDRESSES, route.name)
    page = client.get(f"/admin/people/{ours.owner.public_id}/").content.decode()
    assert ADDRESS in page


def without_path(response: HttpResponse) -> str:
    """What an answer says, but for the address that was asked for and what differs from answer to answer."""
    text = response.content.decode().replace(response.wsgi_request.path, "")  # type: ignore[attr-defined]
    return re.sub(r'name="csrfmiddlewaretoken" value="\w+"', "", text)


@pytest.mark.parametrize("who", ["strange admin", "colleague", "admin"])
def test_what_is_anothers_is_answered_like_what_does_not_exist(ours: House, who: str) -> None:
    client = browser(outsider(who, ours))
    made_up = {
        "draft": accounts.public_id("dr"),
        "mailbox": accounts.public_id("mb"),
        "message": accounts.public_id("ms"),
        "person": accounts.public_id("pe"),
        "token": "token",
        "n": 0,
    }
    for route in routes():
        if not route.parameters or (who == "admin" and route.name in ADMINS_OWN):
            continue
        for values in ours_of(ours, route, None):
            for ask in (client.get, client.post):
                theirs, nothing = ask(route.path(values)), ask(route.path(made_up))
                assert theirs.status_code == nothing.status_code, route
                assert without_path(theirs) == without_path(nothing), route


def test_the_walk_reaches_everything_that_its_own_person_may_see(ours: House) -> None:
    client = browser(ours.owner)
    said = set()
    for route in routes():
        if not route.parameters or route.name in ADMINS_OWN | {"one_time_link"}:
            continue
        for values in ours_of(ours, route, ours.owner):
            response = client.get(route.path(values), follow=True)
            right = route.name in {"letter_picture", "letter_frame"} or response.status_code != 404
            assert right, f"{route.path(values)} does not name anything: the walk fills it wrongly"
            said.update(marker for marker in MARKERS if marker in answer_text(response))
    assert said == set(MARKERS)


def test_a_picture_of_a_mail_is_shown_only_while_the_token_s_person_may_read_it(ours: House, stranger: Person) -> None:
    message = ours.message
    n = message.files.get(inline=True).n
    path = f"/mail/{message.public_id}/frame/"
    nobody = browser(None)
    own = archive.sign_picture(ours.owner, message.public_id, n)
    assert nobody.get(path + own).content == PICTURE
    assert nobody.get(path + archive.sign_picture(stranger, message.public_id, n)).status_code == 404
    accounts.stop_person(ours.owner, by=None)
    assert nobody.get(path + own).status_code == 404


def test_a_one_time_link_tells_its_holder_nothing_of_mailboxes(ours: House, stranger: Person) -> None:
    link = accounts.make_link(ours.owner, by=None)
    assert_says_nothing(browser(stranger).get(f"/in/{link.token}/"), MARKERS, "the one-time link")


def test_a_mailbox_that_went_over_to_a_colleague_is_no_longer_its_first_persons(ours: House) -> None:
    colleague = join(ours.owner.organization, "sasaki", "佐々木 花")
    ours.box.mailboxperson_set.update(person=colleague)
    LinkDraft.objects.all().delete()
    ours.drafts.clear()
    for route, method, path, response in walk(browser(ours.owner), ours, ours.owner):
        if set(route.parameters) & {"mailbox", "message"} and ours.unlinked.public_id not in path:
            assert response.status_code in REFUSED, f"{method} {path}"
        assert_says_nothing(response, (ADDRESS, *LETTERS), f"{method} {path}")


KEYS = """
SELECT conrelid::regclass::text, confrelid::regclass::text,
       (SELECT array_agg(attname::text) FROM pg_attribute WHERE attrelid = conrelid AND attnum = ANY(conkey))
  FROM pg_constraint WHERE contype = 'f'
"""
COLUMNS = """
SELECT table_name, column_name FROM information_schema.columns
 WHERE table_schema = 'public' AND data_type = 'bigint' AND column_name LIKE '%\\_id'
"""


@pytest.mark.django_db
def test_postgresql_itself_refuses_every_row_that_points_across_organizations() -> None:
    with connection.cursor() as cursor:
        cursor.execute(COLUMNS)
        columns = set(cursor.fetchall())
        cursor.execute(KEYS)
        keys = cursor.fetchall()
    scoped = {table for table, column in columns if column == "organization_id"}
    within = [(table, set(columns)) for table, target, columns in keys if {table, target} <= scoped]
    assert len(within) > 15
    assert [table for table, key in within if "organization_id" not in key] == []
    held = {(table, column) for table, key in within for column in key}
    pointers = {(table, column) for table, column in columns if table in scoped and column != "organization_id"}
    assert {table for table, _ in pointers - held} == {"event"}, "an event alone outlives what it tells of"
