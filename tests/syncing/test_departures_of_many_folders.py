"""Mail that is deleted at the server, in a mailbox of more folders than one round looks at."""

import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from fumibako.archive.models import Message
from tests.lab.constants import with_constants
from tests.lab.dovecot import Dovecot, sample_mail
from tests.lab.installation import Installation, installation, until
from tests.world import World

pytestmark = pytest.mark.lab

HASTY = {
    "fumibako.syncing.watch": {"INTERVAL": 0.5, "ROUND_INTERVAL": 0.5, "A_ROUND": 3},
    "fumibako.syncing.departures": {"QUIET": 0.0},
}


@pytest.fixture
def fumibako(database_url: str, world: World, dovecot: Dovecot, tmp_path: Path) -> Iterator[Installation]:
    with installation(database_url, tmp_path, dovecot, PYTHONPATH=with_constants(tmp_path, HASTY)) as made:
        made.start_worker()
        yield made


def test_a_deleted_mail_is_marked_so_when_all_folders_have_had_their_turn(
    fumibako: Installation, dovecot: Dovecot
) -> None:
    address = f"{uuid.uuid4().hex[:10]}@example.jp"
    dovecot.add_user(address, "password")
    names = ["INBOX", *(f"案件{n}" for n in range(7))]
    for n, name in enumerate(names):
        dovecot.fill(address, [sample_mail(10 * n), sample_mail(10 * n + 1)], folder=name)
    fumibako.link(address, "password", *(word for name in names for word in ("--folder", name)))
    until(lambda: Message.objects.count() == 16 and fumibako.status(address)["state"] == "live")
    with dovecot.phone(address) as phone:
        phone.expunge("案件6", phone.listing("案件6")[0].uid)
    until(lambda: Message.objects.filter(deleted_at__isnull=False).count() == 1)
    assert Message.objects.count() == 16
