"""Where a message went that has left the imported folders."""

import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("archive", "0002_composite_keys"), ("linking", "0003_reconcile")]
    operations = [
        migrations.AddField(
            model_name="message",
            name="left_to",
            field=models.ForeignKey(
                db_constraint=False,
                db_index=False,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to="linking.folder",
            ),
        ),
        migrations.RunSQL(
            "ALTER TABLE message ADD CONSTRAINT message_left_to_id_within FOREIGN KEY (organization_id, left_to_id) "
            "REFERENCES folder (organization_id, id)",
            "ALTER TABLE message DROP CONSTRAINT message_left_to_id_within",
        ),
    ]
