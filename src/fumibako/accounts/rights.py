"""Who may change whose account."""

from fumibako.accounts.errors import NotAllowed
from fumibako.accounts.models import Person


def require_admin(by: Person | None, organization_id: int) -> None:
    """Refuse whoever is no active admin of the organization; ``None`` is the operator at the command line.

    Raises NotAllowed.
    """
    if by is None:
        return
    if not (by.is_active and by.is_admin and by.organization_id == organization_id):
        raise NotAllowed
