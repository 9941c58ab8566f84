"""Foreign keys (organization_id, id), so that no row points into another organization."""

from django.db import migrations

KEYS = [
    ("mailbox_person", "mailbox_id", "mailbox"),
    ("mailbox_person", "person_id", "person"),
    ("mailbox_secret", "mailbox_id", "mailbox"),
    ("pulse", "mailbox_id", "mailbox"),
    ("folder", "mailbox_id", "mailbox"),
    ("skip", "folder_id", "folder"),
    ("link_draft", "person_id", "person"),
    ("link_draft", "mailbox_id", "mailbox"),
]


def key(table: str, column: str, target: str) -> migrations.RunSQL:
    name = f"{table}_{column}_within"
    return migrations.RunSQL(
        f"ALTER TABLE {table} ADD CONSTRAINT {name} FOREIGN KEY (organization_id, {column}) "
        f"REFERENCES {target} (organization_id, id)",
        f"ALTER TABLE {table} DROP CONSTRAINT {name}",
    )


class Migration(migrations.Migration):
    dependencies = [("linking", "0001_initial")]
    operations = [key(*names) for names in KEYS]
