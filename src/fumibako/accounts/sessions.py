"""Where logins are kept (``SESSION_ENGINE``): in the database, each row with the person that it belongs to."""

from typing import TYPE_CHECKING, Any, cast

from django.contrib.auth import SESSION_KEY
from django.contrib.sessions.backends.db import SessionStore as DatabaseStore

if TYPE_CHECKING:
    from fumibako.accounts.models import Session


class SessionStore(DatabaseStore):
    """Django's database store, with the person beside the session's data."""

    @classmethod
    def get_model_class(cls) -> type:
        """Return the table of this store."""
        from fumibako.accounts.models import Session

        return Session

    def create_model_instance(self, data: dict[str, Any]) -> "Session":
        """Return the row to save for these data."""
        session = cast("Session", super().create_model_instance(data))
        session.person_id = data.get(SESSION_KEY)
        return session
