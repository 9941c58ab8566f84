"""Which mailboxes share a mail host's limits, and so one worker.

A host that limits by address, or of which nothing is known, has one limit key for all its mailboxes: the name of its
IMAP server. Where a host limits each user alone (``mail.discovery.limits_of``), or an admin has declared the server of
a domain the organization's own, each mailbox has a key of its own: SERVER/LOGIN. A mailbox belongs to the shard of its
key, so that one process holds the whole budget of a key in its memory.
"""

import zlib

from django.db import connection, transaction

from fumibako.linking.errors import NotFound
from fumibako.linking.models import Mailbox, MailDomain
from fumibako.mail.discovery import limits_of

SHARDS = 64
BETWEEN = "/"  # no name of a server holds one


def shard_of(limit_key: str) -> int:
    """The shard of a limit key; it must never depend on the process (crc32, not ``hash``)."""
    return zlib.crc32(limit_key.encode()) % SHARDS


def server_of(limit_key: str) -> str:
    """The name of the IMAP server in a limit key, in lower case."""
    return limit_key.partition(BETWEEN)[0]


def is_of_one_mailbox(limit_key: str) -> bool:
    """Whether the key belongs to one mailbox alone, because its host counts nobody else's connections with it."""
    return BETWEEN in limit_key


def place(box: Mailbox) -> bool:
    """Give a mailbox the limit key and the shard of its server and login; it is not saved. Whether they are others."""
    host = box.imap_host.lower()
    apart = limits_of(host).by_user or _is_own_server(box)
    before = box.limit_key, box.shard
    box.limit_key = f"{host}{BETWEEN}{box.imap_username.casefold()}" if apart else host
    box.shard = shard_of(box.limit_key)
    return (box.limit_key, box.shard) != before


def declare_own_server(organization: int, domain: str, own: bool) -> int:
    """Say whether the mail server of a domain is the organization's own, which limits nobody by where they come from.

    The mailboxes of its addresses move to their new shards, whose owners begin anew with them; returns how many moved.
    Raises NotFound where the organization has no settings for the domain.
    """
    domain = domain.lower()
    with transaction.atomic():
        declared = MailDomain.objects.filter(organization=organization, domain=domain).update(own_server=own)
        if not declared:
            raise NotFound(domain)
        boxes = Mailbox.objects.select_for_update().filter(
            organization=organization, address_key__endswith=f"@{domain}"
        )
        moved = [box for box in boxes.order_by("id") if place(box)]
        with connection.cursor() as cursor:
            for box in moved:
                box.generation += 1  # what the old shard's owner still has under way is thrown away
                box.save(update_fields=["limit_key", "shard", "generation"])
                cursor.execute("SELECT pg_notify('fumibako_work', %s)", [f"mb:{box.pk}"])
    return len(moved)


def _is_own_server(box: Mailbox) -> bool:
    domain = box.address_key.rpartition("@")[2]
    return MailDomain.objects.filter(organization=box.organization_id, domain=domain, own_server=True).exists()
