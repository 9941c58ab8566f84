"""How often a page asks the database: seldom, and no oftener for more of anything."""

from collections.abc import Callable
from contextlib import AbstractContextManager

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from fumibako.accounts.models import Person
from fumibako.linking.models import Pulse
from tests.company import join
from tests.web.rows import failed_draft, letter, store
from tests.world import World

pytestmark = pytest.mark.lab

MOST = 12
"""Queries of one page."""

Count = Callable[..., AbstractContextManager[object]]


def add_mailboxes(world: World, count: int) -> None:
    """Mailboxes in every state, each with folders, mails and a pulse."""
    states = ("live", "importing", "retrying", "needs_attention", "unlinked")
    for _ in range(count):
        n = len(world.boxes)
        box = world.add_mailbox(f"box{n}@example.jp", state=states[n % len(states)])
        Pulse.objects.create(organization=world.organization, mailbox=box, proved_at=box.linked_at)
        inbox, sent = world.add_folder(box, uidvalidity=1), world.add_folder(box, "Sent", "sent", uidvalidity=1)
        store(box, inbox, letter(f"mail {n}"))
        store(box, sent, letter(f"sent {n}"))


def queries(client: Client, path: str) -> int:
    """How many queries a page makes, the login of who asks for it included."""
    with CaptureQueriesContext(connection) as asked:
        assert client.get(path).status_code == 200
    return len(asked)


def test_the_list_of_linked_mailboxes_asks_as_often_for_thirty_as_for_three(desk: Client, world: World) -> None:
    add_mailboxes(world, 3)
    few = queries(desk, "/settings/mailboxes/")
    add_mailboxes(world, 27)
    for n in range(5):
        failed_draft(world.person, "wrong_credentials", address=f"draft{n}@example.jp")
    assert queries(desk, "/settings/mailboxes/") <= few <= MOST


def test_the_list_of_mails_asks_as_often_for_many_mailboxes_and_mails_as_for_few(desk: Client, world: World) -> None:
    add_mailboxes(world, 2)
    few = queries(desk, "/mail/")
    add_mailboxes(world, 10)
    for _ in range(50):
        store(world.boxes[0], world.boxes[0].folder_set.get(role="inbox"), letter())
    assert queries(desk, "/mail/") <= few <= MOST
    assert queries(desk, "/mail/?q=mail+%E6%9C%AC%E6%96%87") <= MOST


def test_a_letter_beside_its_list_asks_seldom_however_many_files_it_has(
    desk: Client, world: World, django_assert_max_num_queries: Count
) -> None:
    add_mailboxes(world, 5)
    mail = letter("files")
    for n in range(20):
        mail.add_attachment(b"x", "application", "pdf", filename=f"{n}.pdf")
    message = store(world.boxes[0], world.boxes[0].folder_set.get(role="inbox"), mail)
    path = f"/mail/{message.public_id}/"
    with django_assert_max_num_queries(MOST):
        assert desk.get(path).status_code == 200


def test_the_list_of_people_asks_as_often_for_forty_as_for_four(client: Client, admin: Person) -> None:
    world = World(admin.organization, admin)
    client.force_login(admin)
    for n in range(3):
        world.add_mailbox(f"p{n}@example.jp", person=join(admin.organization, f"person{n}", f"人{n}"))
    few = queries(client, "/admin/people/")
    for n in range(3, 39):
        world.add_mailbox(f"p{n}@example.jp", person=join(admin.organization, f"person{n}", f"人{n}"))
    assert queries(client, "/admin/people/") <= few <= MOST


def test_the_page_of_a_person_asks_as_often_for_many_mailboxes_as_for_one(
    client: Client, admin: Person, member: Person
) -> None:
    world = World(admin.organization, member)
    client.force_login(admin)
    add_mailboxes(world, 1)
    few = queries(client, f"/admin/people/{member.public_id}/")
    add_mailboxes(world, 9)
    assert queries(client, f"/admin/people/{member.public_id}/") <= few <= MOST
