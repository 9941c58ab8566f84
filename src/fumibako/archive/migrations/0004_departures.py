"""Mail that goes: which gone places are settled, and two indexes that hold only what has gone."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("archive", "0003_left")]
    operations = [
        migrations.AddField(
            model_name="placement",
            name="settled",
            field=models.BooleanField(db_default=False),
        ),
        migrations.AddIndex(
            model_name="placement",
            index=models.Index(
                condition=models.Q(("gone_at__isnull", False), ("settled", False)),
                fields=["folder", "gone_at"],
                name="placement_unsettled",
            ),
        ),
        migrations.AddIndex(
            model_name="message",
            index=models.Index(
                condition=models.Q(("deleted_at__isnull", False), ("left_to__isnull", False), _connector="OR"),
                fields=["mailbox"],
                name="message_departed",
            ),
        ),
    ]
