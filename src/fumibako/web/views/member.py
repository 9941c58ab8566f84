"""One person as admins see them: account and states of mailboxes, never mail. Link, stop, resume."""

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods

from fumibako import accounts, archive, linking
from fumibako.accounts.models import Person
from fumibako.linking import State

from ..admin_pages import admin_page, colleague_or_404
from ..faces import FACES, face_of
from ..pages import PersonRequest
from ..people_words import words_by_field
from .people import ROLES, PersonForm, ShownLink, shown_link


@require_http_methods(["GET", "POST"])
@admin_page
def member(request: PersonRequest, person: str) -> HttpResponse:
    """Shows a person, and saves what an admin may change of them."""
    found = colleague_or_404(request, person)
    form = PersonForm(found.name, found.login, found.email, found.role)
    if request.method == "POST":
        form = PersonForm.typed(request)
        try:
            accounts.change_person(found, by=request.user, **form.values)
        except accounts.Invalid as error:
            form.errors = words_by_field(error)
        except accounts.LastAdmin:
            form.errors = {"role": last_admin_words()}
        else:
            messages.success(request, gettext("Saved."))
            return redirect("member", person)
    return show(request, found, form)


@never_cache
@require_http_methods(["GET", "POST"])
@admin_page
def member_link(request: PersonRequest, person: str) -> HttpResponse:
    """Makes a one-time link, which the answer shows once."""
    found = colleague_or_404(request, person)
    if request.method == "GET":
        return redirect("member", person)
    try:
        link = accounts.make_link(found, by=request.user)
    except accounts.Stopped:
        messages.error(request, gettext("This account is stopped. Resume it first."))
        return redirect("member", person)
    form = PersonForm(found.name, found.login, found.email, found.role)
    return show(request, found, form, shown_link(request, found, link))


@require_http_methods(["GET", "POST"])
@admin_page
def member_stop(request: PersonRequest, person: str) -> HttpResponse:
    """Asks, saying what follows, and stops the person and their mailboxes."""
    found = colleague_or_404(request, person)
    if not found.is_active:
        return redirect("member", person)
    if request.method == "POST":
        try:
            linking.stop_person(found, request.user)
        except accounts.OneSelf:
            messages.error(request, gettext("You cannot stop your own account. Ask another admin."))
        except accounts.LastAdmin:
            messages.error(request, last_admin_words())
        else:
            messages.success(request, gettext("%(name)s was stopped.") % {"name": found.name})
        return redirect("member", person)
    cards = linking.mailboxes_of(found)
    numbers = archive.mailbox_numbers([card.id for card in cards])
    context = {
        "here": "admin",
        "person": found,
        "stored": sum(number.stored for number in numbers.values()),
        "mailboxes": bool(cards),
        "linked": any(card.state != State.UNLINKED for card in cards),
    }
    return render(request, "web/member_stop.html", context)


@require_http_methods(["GET", "POST"])
@admin_page
def member_resume(request: PersonRequest, person: str) -> HttpResponse:
    """Lets a stopped person log in again."""
    found = colleague_or_404(request, person)
    if request.method == "POST":
        accounts.resume_person(found, by=request.user)
        messages.success(request, gettext("%(name)s can log in again.") % {"name": found.name})
    return redirect("member", person)


def show(request: PersonRequest, person: Person, form: PersonForm, link: ShownLink | None = None) -> HttpResponse:
    """The page of a person."""
    faces = [(card.address, *FACES[face_of(card)]) for card in linking.mailboxes_of(person)]
    context = {
        "here": "admin",
        "person": person,
        "role": ROLES[person.role],
        "form": form,
        "roles": ROLES.items(),
        "mailboxes": faces,
        "link": link,
    }
    return render(request, "web/member.html", context, status=422 if form.errors else 200)


def last_admin_words() -> str:
    """Why the only admin stays one."""
    return gettext("This is the only admin. Make somebody else an admin first.")
