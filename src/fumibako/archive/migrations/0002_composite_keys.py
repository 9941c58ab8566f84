"""Foreign keys (organization_id, id), and the storage of raw bytes: own rows of at most 8,100 bytes, never TOAST."""

from django.db import migrations

KEYS = [
    ("message", "mailbox_id", "mailbox"),
    ("body", "message_id", "message"),
    ("raw", "message_id", "message"),
    ("placement", "folder_id", "folder"),
    ("placement", "message_id", "message"),
    ("attachment", "message_id", "message"),
    ("thread_key", "message_id", "message"),
    ("thread_key", "mailbox_id", "mailbox"),
    ("opening", "message_id", "message"),
    ("opening", "person_id", "person"),
]


def key(table: str, column: str, target: str) -> migrations.RunSQL:
    name = f"{table}_{column}_within"
    return migrations.RunSQL(
        f"ALTER TABLE {table} ADD CONSTRAINT {name} FOREIGN KEY (organization_id, {column}) "
        f"REFERENCES {target} (organization_id, id)",
        f"ALTER TABLE {table} DROP CONSTRAINT {name}",
    )


class Migration(migrations.Migration):
    dependencies = [("archive", "0001_initial"), ("linking", "0002_composite_keys")]
    operations = [
        *(key(*names) for names in KEYS),
        migrations.RunSQL(
            "ALTER TABLE raw ALTER COLUMN body SET STORAGE PLAIN",
            "ALTER TABLE raw ALTER COLUMN body SET STORAGE EXTENDED",
        ),
        migrations.RunSQL(
            "ALTER TABLE raw SET (toast_tuple_target = 8160)",
            "ALTER TABLE raw RESET (toast_tuple_target)",
        ),
    ]
