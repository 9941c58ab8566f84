"""What the workers share: who owns which mailboxes, and what was learned of the mail hosts.

There are 64 shards, each with an owner among the workers and an epoch that fences its commits. Limits and incidents are
a host's, so they belong to the installation and to no organization.
"""

from django.db import models
from django.db.models.functions import Now


class Shard(models.Model):
    """One of the 64 parts of all mailboxes. ``epoch`` rises with every change of ``owner``."""

    id = models.SmallIntegerField(primary_key=True)
    owner = models.BigIntegerField(null=True)
    epoch = models.BigIntegerField(default=0)

    class Meta:
        db_table = "shard"


class HostLimit(models.Model):
    """What a mail host has shown of its limits, per limit key (see ``linking.Mailbox.limit_key``).

    ``connections``: how many were open when it refused one more. Until ``pause_until`` it wants to be left alone.
    """

    limit_key = models.TextField(primary_key=True)
    connections = models.IntegerField(null=True)
    pause_until = models.DateTimeField(null=True)
    words = models.TextField(db_default="")
    learned_at = models.DateTimeField(db_default=Now())

    class Meta:
        db_table = "host_limit"


class HostIncident(models.Model):
    """A host that refuses mailboxes whose secrets have worked: its own fault, told once, probed by one at a time."""

    host = models.TextField()
    cause = models.TextField()
    server_words = models.TextField(db_default="")
    began_at = models.DateTimeField(db_default=Now())
    next_probe_at = models.DateTimeField(db_default=Now())
    ended_at = models.DateTimeField(null=True)

    class Meta:
        db_table = "host_incident"
        constraints = [
            models.UniqueConstraint(
                fields=["host"], condition=models.Q(ended_at__isnull=True), name="host_incident_open"
            )
        ]
