"""A one-time link: sets the password of the person that it was made for, and logs them in."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods

from fumibako import accounts

from ..people_words import words_by_field
from .login import begin_session, first_page


@sensitive_post_parameters("password")
@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def one_time_link(request: HttpRequest, token: str) -> HttpResponse:
    """Asks for the new password, and uses the link up. Looking at it does not."""
    errors: dict[str, str] = {}
    try:
        person = accounts.open_link(token)
        if request.method == "POST":
            person = accounts.use_link(token, request.POST.get("password", ""))
            begin_session(request, person)
            return redirect(first_page(person))
    except accounts.Invalid as error:
        errors = words_by_field(error)
    except accounts.DeadLink:
        return render(request, "web/one_time_link_dead.html", status=404)
    context = {"person": person, "errors": errors}
    return render(request, "web/one_time_link.html", context, status=422 if errors else 200)
