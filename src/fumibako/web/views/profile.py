"""プロフィール: one's own name, language, time zone and 文箱 password."""

from dataclasses import dataclass, field

from django.contrib import messages
from django.contrib.auth import update_session_auth_hash
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils import translation
from django.utils.translation import gettext
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods

from fumibako import accounts
from fumibako.accounts.models import Language

from ..pages import PersonRequest, page
from ..people_words import words_by_field
from ..time_zones import time_zone_choices


@dataclass
class ProfileForm:
    """What is typed about oneself; passwords are never shown again."""

    name: str
    language: str
    time_zone: str
    errors: dict[str, str] = field(default_factory=dict)


@require_http_methods(["GET", "POST"])
@page
def profile(request: PersonRequest) -> HttpResponse:
    """Shows and saves name, language and time zone."""
    form = own_profile(request)
    if request.method == "POST":
        sent = request.POST
        form = ProfileForm(sent.get("name", ""), sent.get("language", ""), sent.get("time_zone", ""))
        try:
            changed = accounts.change_profile(
                request.user, name=form.name, language=form.language, time_zone=form.time_zone
            )
        except accounts.Invalid as error:
            form.errors = words_by_field(error)
        else:
            with translation.override(changed.spoken):
                messages.success(request, gettext("Saved."))
            return redirect("profile")
    return show(request, form)


@sensitive_post_parameters("current", "password")
@require_http_methods(["GET", "POST"])
@page
def profile_password(request: PersonRequest) -> HttpResponse:
    """Changes one's own password; this browser stays logged in, all others do not."""
    if request.method == "GET":
        return redirect("profile")
    try:
        changed = accounts.change_password(
            request.user,
            current=request.POST.get("current", ""),
            password=request.POST.get("password", ""),
            keep_session=request.session.session_key,
        )
    except accounts.Invalid as error:
        form = own_profile(request)
        form.errors = words_by_field(error)
        return show(request, form)
    update_session_auth_hash(request, changed)
    said = gettext("Your Fumibako password was changed. Other devices were logged out.")
    messages.success(request, said)
    return redirect("profile")


def own_profile(request: PersonRequest) -> ProfileForm:
    """The form as things stand."""
    return ProfileForm(request.user.name, request.user.spoken, request.user.clock)


def show(request: PersonRequest, form: ProfileForm) -> HttpResponse:
    """The page."""
    known = request.user.clock if form.errors.get("time_zone") else form.time_zone
    context = {
        "here": "settings",
        "form": form,
        "languages": Language.choices,
        "time_zones": time_zone_choices(known),
    }
    return render(request, "web/profile.html", context, status=422 if form.errors else 200)
