"""The 64 shards: a fixed number, so that a mailbox's shard never changes with the number of workers."""

from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("syncing", "0001_initial")]
    operations = [
        migrations.RunSQL(
            "INSERT INTO shard (id, epoch) SELECT n, 0 FROM generate_series(0, 63) n", "DELETE FROM shard"
        )
    ]
