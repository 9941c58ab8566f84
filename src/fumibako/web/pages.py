"""What every page that needs a login shares."""

from collections.abc import Callable
from functools import wraps

from django.contrib.auth.decorators import login_required
from django.core.exceptions import BadRequest
from django.http import Http404, HttpRequest, HttpResponse

from fumibako import archive, linking
from fumibako.accounts.models import Person

View = Callable[..., HttpResponse]


class PersonRequest(HttpRequest):
    """The request of a view behind `page`: somebody is logged in."""

    user: Person


def page(view: View) -> View:
    """A view for people who are logged in; what is not theirs is not found.

    NUL is refused once, here: nobody types it, and PostgreSQL keeps no text with it.
    """

    @login_required
    @wraps(view)
    def shown(request: HttpRequest, *args: object, **names: object) -> HttpResponse:
        if any("\0" in str(name) for name in names.values()):
            raise Http404
        if any("\0" in text for sent in (request.GET, request.POST) for _, texts in sent.lists() for text in texts):
            raise BadRequest
        try:
            return view(request, *args, **names)
        except (linking.NotFound, archive.NotFound) as error:
            raise Http404 from error

    return shown
