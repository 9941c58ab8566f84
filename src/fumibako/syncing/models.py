"""Who owns which mailboxes: 64 shards, each with an owner among the workers and an epoch that fences its commits."""

from django.db import models


class Shard(models.Model):
    """One of the 64 parts of all mailboxes. ``epoch`` rises with every change of ``owner``."""

    id = models.SmallIntegerField(primary_key=True)
    owner = models.BigIntegerField(null=True)
    epoch = models.BigIntegerField(default=0)

    class Meta:
        db_table = "shard"
