"""Column types of PostgreSQL that Django has no field for."""

from typing import Any

from django.db import models


class UidSetField(models.Field):  # type: ignore[type-arg]
    """A set of UIDs as PostgreSQL's ``int8multirange``: half-open ranges, kept merged and sorted by the database."""

    def db_type(self, connection: Any) -> str:
        return "int8multirange"
