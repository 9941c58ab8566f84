"""In which language and at which clock a page speaks."""

from collections.abc import Callable
from zoneinfo import ZoneInfo

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.utils import timezone, translation


def chosen_language(request: HttpRequest) -> str:
    """The person's language, else what this browser chose, else Japanese; what the browser prefers does not count.

    (Many a computer in a Japanese company has an English browser.)
    """
    person = getattr(request, "user", None)
    if person is not None and person.is_authenticated:
        return str(person.spoken)
    cookie = request.COOKIES.get(settings.LANGUAGE_COOKIE_NAME, "")
    return cookie if cookie in dict(settings.LANGUAGES) else settings.LANGUAGE_CODE


class LanguageAndClock:
    """Middleware: translates pages and shows times as the person has chosen."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        language = chosen_language(request)
        clock = request.user.clock if request.user.is_authenticated else settings.TIME_ZONE
        with translation.override(language), timezone.override(ZoneInfo(clock)):
            response = self.get_response(request)
        response.headers.setdefault("Content-Language", language)
        return response
