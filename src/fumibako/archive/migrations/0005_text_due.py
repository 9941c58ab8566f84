"""The messages whose texts are still to be read, a row for each batch that was stored without them."""

import django.contrib.postgres.fields
import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("archive", "0004_departures")]
    operations = [
        migrations.CreateModel(
            name="TextDue",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                ("messages", django.contrib.postgres.fields.ArrayField(base_field=models.BigIntegerField(), size=None)),
                ("stored_at", models.DateTimeField(db_default=models.functions.Now())),
                (
                    "mailbox",
                    models.ForeignKey(
                        db_constraint=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        to="linking.mailbox",
                    ),
                ),
                (
                    "organization",
                    models.ForeignKey(
                        db_constraint=False,
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        to="accounts.organization",
                    ),
                ),
            ],
            options={"db_table": "text_due"},
        ),
        migrations.RunSQL(
            "ALTER TABLE text_due ADD CONSTRAINT text_due_mailbox_id_within FOREIGN KEY (organization_id, mailbox_id) "
            "REFERENCES mailbox (organization_id, id)",
            "ALTER TABLE text_due DROP CONSTRAINT text_due_mailbox_id_within",
        ),
    ]
