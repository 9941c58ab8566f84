"""ログイン, ログアウト, the language of a browser that nobody has logged in at, and what to do without a password."""

from dataclasses import dataclass, field
from datetime import timedelta

from django.conf import settings
from django.contrib import auth
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render, resolve_url
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import gettext, ngettext
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from fumibako import accounts, linking
from fumibako.accounts.models import Language, Organization, Person

from ..people_words import WORDS


@dataclass
class LoginForm:
    """What was typed, but for the password; `refused` and `remedy` say why nobody is logged in."""

    login: str = ""
    errors: dict[str, str] = field(default_factory=dict)
    refused: str = ""
    remedy: str = ""


@sensitive_post_parameters("password")
@never_cache
@require_http_methods(["GET", "POST"])
def login(request: HttpRequest) -> HttpResponse:
    """Asks for login name and password; goes to the page that was wanted, or to the person's first."""
    wanted = local_address(request, request.POST.get("next") or request.GET.get("next", ""))
    if request.user.is_authenticated:
        return redirect(wanted or first_page(request.user))
    form = LoginForm(login=request.POST.get("login", ""))
    if request.method == "POST":
        person = try_login(form, request.POST.get("password", ""))
        if person is not None:
            begin_session(request, person)
            return redirect(wanted or first_page(person))
    status = 422 if form.errors or form.refused else 200
    context = {"form": form, "next": wanted, "organization": only_organization()}
    return render(request, "web/login.html", context, status=status)


@require_POST
def logout(request: HttpRequest) -> HttpResponse:
    """Ends this browser's session."""
    auth.logout(request)
    return redirect("login")


@require_safe
def login_help(request: HttpRequest) -> HttpResponse:
    """Says how to come by a password."""
    return render(request, "web/login_help.html")


@require_POST
def language(request: HttpRequest) -> HttpResponse:
    """Remembers a language for this browser, and goes back."""
    back = local_address(request, request.POST.get("next", "")) or resolve_url("login")
    response = redirect(back)
    chosen = request.POST.get("language", "")
    if chosen in Language.values:
        response.set_cookie(
            settings.LANGUAGE_COOKIE_NAME,
            chosen,
            max_age=settings.LANGUAGE_COOKIE_AGE,
            samesite="Lax",
            httponly=True,
        )
    return response


def try_login(form: LoginForm, password: str) -> Person | None:
    """The person, or None with the reason in the form."""
    if not form.login.strip():
        form.errors["login"] = str(WORDS[accounts.Problem("login", accounts.Reason.MISSING)])
    if not password:
        form.errors["password"] = gettext("Enter the password.")
    if form.errors:
        return None
    try:
        return accounts.log_in(form.login, password)
    except accounts.LoginRefused as error:
        form.refused = gettext("The login name or the password is wrong.")
        form.remedy = ngettext(
            "After %(n)s more wrong try, you cannot log in for 15 minutes.",
            "After %(n)s more wrong tries, you cannot log in for 15 minutes.",
            error.tries_left,
        ) % {"n": error.tries_left}
    except accounts.LoginPaused as error:
        form.refused = gettext("There were 10 wrong tries, so logging in is paused.")
        clock = date_format(timezone.localtime(error.until + timedelta(minutes=1)), "G:i")
        form.remedy = gettext("Try again from %(time)s.") % {"time": clock}
    except accounts.Stopped:
        form.refused = gettext("This account is stopped.")
        form.remedy = gettext("Ask an admin of your company.")
    return None


def begin_session(request: HttpRequest, person: Person) -> None:
    """Log the person in at this browser, under a new session key; a language chosen here before becomes theirs.

    Sessions that ran out, anybody's, are cleared away on the occasion.
    """
    chosen = request.COOKIES.get(settings.LANGUAGE_COOKIE_NAME, "")
    if chosen in Language.values and not person.language:
        accounts.choose_language(person, chosen)
    auth.login(request, person)
    request.session.clear_expired()


def first_page(person: Person) -> str:
    """Where somebody without a wish goes: to the mail, or to linking it."""
    return resolve_url("mail" if linking.readable_mailboxes(person) else "mailboxes")


def local_address(request: HttpRequest, address: str) -> str:
    """The address if it is one of ours, else nothing: a login leads nowhere else."""
    allowed = {request.get_host()}
    return address if url_has_allowed_host_and_scheme(address, allowed, request.is_secure()) else ""


def only_organization() -> Organization | None:
    """The organization, where there is but one: with several, the page names none."""
    found = Organization.objects.all()[:2]
    return found[0] if len(found) == 1 else None
