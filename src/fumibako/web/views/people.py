"""メンバー: who is in the organization, how their mailboxes stand, and adding somebody."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime

from django.core.paginator import Paginator
from django.http import HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.functional import Promise
from django.utils.translation import gettext, gettext_lazy
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods

from fumibako import accounts, linking
from fumibako.accounts import Link
from fumibako.accounts.models import OneTimeLink, Organization, Person, Role
from fumibako.linking import State

from ..admin_pages import admin_page
from ..faces import FACES
from ..pages import PersonRequest
from ..people_words import words_by_field

Words = str | Promise
"""A text, or one that is translated when it is shown."""

ROLES: dict[str, Words] = {Role.MEMBER: gettext_lazy("Member"), Role.ADMIN: gettext_lazy("Admin")}
PAGE = 50  # people
COLOURS = ["act", "wait", "busy", "ok", "off"]
"""What needs somebody first."""


@dataclass(frozen=True)
class PersonRow:
    """One line of the list. `invited_until` is set while a link waits for somebody who never logged in."""

    id: str
    name: str
    login: str
    role: str
    admin: bool
    stopped_at: datetime | None
    state: State | None
    colour: str
    word: str
    last_login: datetime | None
    invited_until: datetime | None


@dataclass
class PersonForm:
    """What is typed about a person."""

    name: str = ""
    login: str = ""
    email: str = ""
    role: str = Role.MEMBER
    errors: dict[str, str] = field(default_factory=dict)

    @classmethod
    def typed(cls, request: PersonRequest) -> "PersonForm":
        """The form as it was sent."""
        sent = request.POST
        return cls(sent.get("name", ""), sent.get("login", ""), sent.get("email", ""), sent.get("role", ""))

    @property
    def values(self) -> dict[str, str]:
        """The fields as the verbs take them."""
        return {"name": self.name, "login": self.login, "email": self.email, "role": self.role}


@dataclass(frozen=True)
class ShownLink:
    """A one-time link on the one page that shows it."""

    name: str
    address: str
    expires_at: datetime


FILTERS: dict[str, tuple[Words, Callable[[PersonRow], bool]]] = {
    "": (gettext_lazy("Everybody"), lambda row: True),
    "attention": (FACES[State.NEEDS_ATTENTION][1], lambda row: row.state == State.NEEDS_ATTENTION),
    "unlinked": (gettext_lazy("Not linked"), lambda row: row.state is None and row.stopped_at is None),
    "stopped": (gettext_lazy("Stopped"), lambda row: row.stopped_at is not None),
}


@never_cache
@require_http_methods(["GET", "POST"])
@admin_page
def people(request: PersonRequest) -> HttpResponse:
    """The list, and the form to add somebody; whose one-time link is shown on the answer and nowhere else."""
    form, link = PersonForm(), None
    if request.method == "POST":
        form = PersonForm.typed(request)
        try:
            added = accounts.add_person(request.user.organization, by=request.user, **form.values)
        except accounts.Invalid as error:
            form.errors = words_by_field(error)
        else:
            form, link = PersonForm(), shown_link(request, added.person, added.link)
    return show(request, form, link)


def show(request: PersonRequest, form: PersonForm, link: ShownLink | None) -> HttpResponse:
    """The page."""
    rows = person_rows(request.user.organization)
    show = request.GET.get("show", "")
    _, wanted = FILTERS.get(show, FILTERS[""])
    page = Paginator([row for row in rows if wanted(row)], PAGE).get_page(request.GET.get("page"))
    context = {
        "here": "admin",
        "rows": page,
        "show": show if show in FILTERS else "",
        "filters": [(key, word, sum(map(test, rows))) for key, (word, test) in FILTERS.items()],
        "active": sum(row.stopped_at is None for row in rows),
        "stopped": sum(row.stopped_at is not None for row in rows),
        "admins": sum(row.admin and row.stopped_at is None for row in rows),
        "form": form,
        "roles": ROLES.items(),
        "link": link,
        "adding": bool(form.errors) or "add" in request.GET,
    }
    return render(request, "web/people.html", context, status=422 if form.errors else 200)


def person_rows(organization: Organization) -> list[PersonRow]:
    """Everybody of an organization: what needs somebody first, the stopped last, else by name."""
    worst = linking.worst_states(organization)
    waiting = OneTimeLink.objects.waiting().filter(organization=organization)
    invited = dict(waiting.values_list("person", "expires_at"))
    everybody = Person.objects.filter(organization=organization).order_by("name_key", "id")
    rows = [person_row(person, worst.get(person.pk), invited.get(person.pk)) for person in everybody]
    return sorted(rows, key=lambda row: (row.stopped_at is not None, COLOURS.index(row.colour)))


def person_row(person: Person, state: State | None, invited_until: datetime | None) -> PersonRow:
    """One person's line."""
    colour, word = FACES[state] if state else ("off", gettext("Not linked"))
    if not person.is_active:
        colour, word = "off", gettext("Stopped")
    return PersonRow(
        id=person.public_id,
        name=person.name,
        login=person.login,
        role=str(ROLES[person.role]),
        admin=person.is_admin,
        stopped_at=person.stopped_at,
        state=state if person.is_active else None,
        colour=colour,
        word=str(word),
        last_login=person.last_login,
        invited_until=invited_until if person.last_login is None else None,
    )


def shown_link(request: PersonRequest, person: Person, link: Link) -> ShownLink:
    """The address of a new link, to be handed over."""
    address = request.build_absolute_uri(reverse("one_time_link", args=[link.token]))
    return ShownLink(person.name, address, link.expires_at)
