"""What every page for admins shares."""

from functools import wraps

from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpResponse

from fumibako.accounts.models import Person

from .pages import PersonRequest, View, page


def admin_page(view: View) -> View:
    """A view for admins who are logged in; other people are told whose page it is."""

    @page
    @wraps(view)
    def shown(request: PersonRequest, *args: object, **names: object) -> HttpResponse:
        if not request.user.is_admin:
            raise PermissionDenied
        return view(request, *args, **names)

    return shown


def colleague_or_404(request: PersonRequest, public_id: str) -> Person:
    """The person of this public id, if they are of the admin's own organization."""
    people = Person.objects.filter(organization=request.user.organization_id).select_related("organization")
    person = people.filter(public_id=public_id).first()
    if person is None:
        raise Http404
    return person
