"""The event log and the counter that its numberer keeps."""

from django.db import models
from django.db.models.functions import Now


class Event(models.Model):
    """One thing that happened. ``seq`` is null until the numberer has seen the row committed.

    ``mailbox_id``, ``folder_id`` and ``message_id`` are plain numbers: an event outlives what it tells of.
    """

    organization = models.ForeignKey("accounts.Organization", on_delete=models.PROTECT, db_index=False)
    seq = models.BigIntegerField(null=True)
    kind = models.TextField()
    mailbox_id = models.BigIntegerField(null=True)
    folder_id = models.BigIntegerField(null=True)
    message_id = models.BigIntegerField(null=True)
    count = models.IntegerField(default=1, db_default=1)
    detail = models.JSONField(default=dict, db_default={})
    at = models.DateTimeField(db_default=Now())

    class Meta:
        db_table = "event"
        constraints = [models.UniqueConstraint(fields=["organization", "seq"], name="event_organization_seq")]
        indexes = [models.Index(fields=["id"], condition=models.Q(seq__isnull=True), name="event_unnumbered")]


class EventCounter(models.Model):
    """The last ``seq`` given out in an organization; it survives the pruning of old events."""

    organization = models.OneToOneField("accounts.Organization", on_delete=models.PROTECT, primary_key=True)
    last_seq = models.BigIntegerField()

    class Meta:
        db_table = "event_counter"
