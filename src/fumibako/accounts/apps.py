"""The Django application of this room."""

from django.apps import AppConfig


class AccountsConfig(AppConfig):
    """Organizations, people and what they do to each other's accounts."""

    name = "fumibako.accounts"
    label = "accounts"
    default_auto_field = "django.db.models.BigAutoField"
