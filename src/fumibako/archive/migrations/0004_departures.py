"""Mail that goes: which gone places are settled, and two indexes that hold only what has gone."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("archive", "0003_left")]
    operations = [
        migrations.AddField(
            model_name="placement",
            name="settled_at",
            field=models.DateTimeField(null=True),
        ),
        migrations.AddField(
            model_name="placement",
            name="unsettled",
            field=models.GeneratedField(
                db_persist=True,
                expression=models.Q(
                    models.Q(
                        ("settled_at__isnull", True),
                        models.Q(("settled_at", models.F("gone_at")), _negated=True),
                        _connector="OR",
                    ),
                    ("gone_at__isnull", False),
                ),
                output_field=models.BooleanField(),
            ),
        ),
        migrations.AddIndex(
            model_name="placement",
            index=models.Index(condition=models.Q(("unsettled", True)), fields=["folder"], name="placement_unsettled"),
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
