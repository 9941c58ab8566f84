"""How Django finds who is logged in (``AUTHENTICATION_BACKENDS``). Logging in itself is ``log_in``."""

from asgiref.sync import sync_to_async

from fumibako.accounts.models import Person, PersonState


class PersonBackend:
    """Active people only: a login left over from before somebody was stopped is nobody's."""

    def get_user(self, user_id: int) -> Person | None:
        """Return the active person of a session, with their organization."""
        people = Person.objects.select_related("organization")
        return people.filter(pk=user_id, state=PersonState.ACTIVE).first()

    async def aget_user(self, user_id: int) -> Person | None:
        """Return the same from a coroutine."""
        return await sync_to_async(self.get_user)(user_id)
