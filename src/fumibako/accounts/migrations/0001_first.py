"""The tables of this room, and the composite keys between them that Django knows no field for."""

import django.db.models.deletion
from django.db import migrations, models
from django.db.models.functions import Now

import fumibako.accounts.ids


def person_key(table: str, column: str) -> migrations.RunSQL:
    """Make ``column`` of ``table`` point to a person of the row's own organization."""
    name = f"{table}_{column}_same_organization"
    return migrations.RunSQL(
        f"ALTER TABLE {table} ADD CONSTRAINT {name} FOREIGN KEY (organization_id, {column}) REFERENCES person (organization_id, id)",
        f"ALTER TABLE {table} DROP CONSTRAINT {name}",
    )


class Migration(migrations.Migration):
    initial = True

    dependencies = []

    operations = [
        migrations.CreateModel(
            name="Organization",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "public_id",
                    models.CharField(
                        default=fumibako.accounts.ids.organization_id, editable=False, max_length=40, unique=True
                    ),
                ),
                ("name", models.CharField(max_length=200)),
                (
                    "language",
                    models.CharField(choices=[("ja", "日本語"), ("en", "English")], default="ja", max_length=8),
                ),
                ("time_zone", models.CharField(default="Asia/Tokyo", max_length=64)),
                ("default_range", models.CharField(default="1y", max_length=8)),
                ("requires_mail_domain", models.BooleanField(default=False)),
                ("created_at", models.DateTimeField(db_default=Now(), editable=False)),
            ],
            options={
                "db_table": "organization",
                "constraints": [
                    models.CheckConstraint(condition=models.Q(language__in=["ja", "en"]), name="organization_language")
                ],
            },
        ),
        migrations.CreateModel(
            name="Person",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("password", models.CharField(max_length=128, verbose_name="password")),
                ("last_login", models.DateTimeField(blank=True, null=True, verbose_name="last login")),
                (
                    "public_id",
                    models.CharField(
                        default=fumibako.accounts.ids.person_id, editable=False, max_length=40, unique=True
                    ),
                ),
                (
                    "organization",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="people", to="accounts.organization"
                    ),
                ),
                ("login", models.CharField(max_length=150, unique=True)),
                ("name", models.CharField(max_length=200)),
                ("name_key", models.CharField(editable=False, max_length=400)),
                ("email", models.CharField(blank=True, default="", max_length=254)),
                (
                    "role",
                    models.CharField(
                        choices=[("admin", "Admin"), ("member", "Member")], default="member", max_length=8
                    ),
                ),
                (
                    "state",
                    models.CharField(
                        choices=[("active", "Active"), ("stopped", "Stopped")], default="active", max_length=8
                    ),
                ),
                ("stopped_at", models.DateTimeField(blank=True, null=True)),
                (
                    "language",
                    models.CharField(
                        blank=True, choices=[("ja", "日本語"), ("en", "English")], default="", max_length=8
                    ),
                ),
                ("time_zone", models.CharField(blank=True, default="", max_length=64)),
                ("created_at", models.DateTimeField(db_default=Now(), editable=False)),
            ],
            options={
                "db_table": "person",
                "constraints": [
                    models.UniqueConstraint(fields=["organization", "id"], name="person_organization_id"),
                    models.CheckConstraint(
                        condition=models.Q(login__regex="^[a-z0-9][a-z0-9._@+-]*$"), name="person_login"
                    ),
                    models.CheckConstraint(condition=models.Q(role__in=["admin", "member"]), name="person_role"),
                    models.CheckConstraint(
                        condition=models.Q(state="active", stopped_at=None)
                        | models.Q(state="stopped", stopped_at__isnull=False),
                        name="person_state",
                    ),
                    models.CheckConstraint(condition=models.Q(language__in=["", "ja", "en"]), name="person_language"),
                ],
                "indexes": [models.Index(fields=["organization", "name_key", "id"], name="person_by_name")],
            },
        ),
        migrations.CreateModel(
            name="Session",
            fields=[
                (
                    "session_key",
                    models.CharField(max_length=40, primary_key=True, serialize=False, verbose_name="session key"),
                ),
                ("session_data", models.TextField(verbose_name="session data")),
                ("expire_date", models.DateTimeField(db_index=True, verbose_name="expire date")),
                (
                    "person",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="sessions",
                        to="accounts.person",
                    ),
                ),
            ],
            options={"db_table": "session"},
        ),
        migrations.CreateModel(
            name="OneTimeLink",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "organization",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="+", to="accounts.organization"
                    ),
                ),
                (
                    "person",
                    models.ForeignKey(
                        db_constraint=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="links",
                        to="accounts.person",
                    ),
                ),
                ("token_hash", models.BinaryField(max_length=32, unique=True)),
                (
                    "made_by",
                    models.ForeignKey(
                        db_constraint=False,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="accounts.person",
                    ),
                ),
                ("created_at", models.DateTimeField(db_default=Now(), editable=False)),
                ("expires_at", models.DateTimeField()),
                ("used_at", models.DateTimeField(null=True)),
            ],
            options={"db_table": "one_time_link"},
        ),
        migrations.CreateModel(
            name="WrongLogin",
            fields=[
                ("name_hash", models.BinaryField(max_length=32, primary_key=True, serialize=False)),
                ("tries", models.PositiveSmallIntegerField()),
                ("last_at", models.DateTimeField(db_index=True)),
            ],
            options={"db_table": "wrong_login"},
        ),
        migrations.CreateModel(
            name="AuditEvent",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "organization",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="+", to="accounts.organization"
                    ),
                ),
                (
                    "actor",
                    models.ForeignKey(
                        db_constraint=False,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="accounts.person",
                    ),
                ),
                ("kind", models.CharField(max_length=64)),
                ("subject", models.CharField(blank=True, default="", max_length=40)),
                ("at", models.DateTimeField(db_default=Now(), editable=False)),
                ("detail", models.JSONField(default=dict)),
            ],
            options={
                "db_table": "audit_event",
                "constraints": [
                    models.UniqueConstraint(fields=["organization", "id"], name="audit_event_organization_id")
                ],
                "indexes": [models.Index(fields=["organization", "subject", "id"], name="audit_event_by_subject")],
            },
        ),
        person_key("one_time_link", "person_id"),
        person_key("one_time_link", "made_by_id"),
        person_key("audit_event", "actor_id"),
    ]
