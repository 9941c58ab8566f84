"""Organizations, people and mailboxes for tests, as rows: what linking would have made."""

from dataclasses import dataclass, field

from fumibako.accounts.models import Organization, Person
from fumibako.linking import SHARDS, seal_secret, shard_of
from fumibako.linking.models import Folder, Mailbox, MailboxPerson, MailboxSecret
from fumibako.syncing.models import Shard


@dataclass
class World:
    """One organization with a member, and whatever is added to it."""

    organization: Organization
    person: Person
    boxes: list[Mailbox] = field(default_factory=list)

    def add_person(self, login: str, role: str = "member", password: str = "a long password of one's own") -> Person:
        person = Person(organization=self.organization, login=login, name=login, name_key=login, role=role)
        person.set_password(password)
        person.save()
        return person

    def add_mailbox(
        self,
        address: str = "taro@example.jp",
        *,
        person: Person | None = None,
        state: str = "live",
        host: str = "127.0.0.1",
        port: int = 993,
        secret: str = "",
        **more: object,
    ) -> Mailbox:
        key = f"{host}:{address}"
        box = Mailbox.objects.create(
            organization=self.organization,
            address=address,
            address_key=address.casefold(),
            state=state,
            imap_host=host,
            imap_port=port,
            imap_security="tls",
            imap_username=address,
            imap_mechanism="PLAIN",
            range="all",
            limit_key=key,
            shard=shard_of(key),
            **more,
        )
        MailboxPerson.objects.create(organization=self.organization, mailbox=box, person=person or self.person)
        if secret:
            sealed = seal_secret(secret, owner=box.public_id, service="imap")
            MailboxSecret.objects.create(
                organization=self.organization, mailbox=box, service="imap", sealed=sealed, worked_at=box.linked_at
            )
        self.boxes.append(box)
        return box

    def add_folder(
        self, box: Mailbox, name: str = "INBOX", role: str = "inbox", *, chosen: bool = True, **more: object
    ) -> Folder:
        folder = Folder.objects.create(
            organization=self.organization,
            mailbox=box,
            name_raw=name.encode(),
            name=name,
            role=role,
            chosen=chosen,
            **more,
        )
        folder.refresh_from_db()
        return folder


def make_world(name: str = "株式会社テスト", login: str = "taro") -> World:
    """A new organization with one member; the shards exist."""
    Shard.objects.bulk_create([Shard(id=n, epoch=1) for n in range(SHARDS)], ignore_conflicts=True)
    organization = Organization.objects.create(name=name)
    world = World(organization, Person(organization=organization))
    world.person = world.add_person(login)
    return world
