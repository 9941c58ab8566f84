"""What an account's values must be like. Each check returns the value as it is stored, or adds a Problem."""

from zoneinfo import available_timezones

from django.contrib.auth.password_validation import CommonPasswordValidator
from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.db.models import QuerySet

from fumibako.accounts.errors import Invalid, Problem, Reason
from fumibako.accounts.models import Language, Person, Role
from fumibako.accounts.names import is_login, normalize_login, tidy_address, tidy_name

NAME_LENGTH = 200  # characters
ADDRESS_LENGTH = 254  # characters, RFC 5321 section 4.5.3.1.3 without its brackets
PASSWORD_LENGTH = 12  # characters at least
PASSWORD_LIMIT = 1024  # characters at most: what one hashes, one must have read


def raise_for(problems: list[Problem]) -> None:
    """Raise Invalid when there is any problem."""
    if problems:
        raise Invalid(*problems)


def checked_name(field: str, text: str, problems: list[Problem]) -> str:
    """A name of somebody or something: not empty, at most 200 characters."""
    name = tidy_name(text)
    if not name:
        problems.append(Problem(field, Reason.MISSING))
    elif len(name) > NAME_LENGTH:
        problems.append(Problem(field, Reason.LONG))
    return name


def checked_login(text: str, person: Person | None, problems: list[Problem]) -> str:
    """A login name that nobody but ``person`` has, in any organization."""
    login = normalize_login(text)
    if not login:
        problems.append(Problem("login", Reason.MISSING))
    elif not is_login(login):
        problems.append(Problem("login", Reason.CHARACTERS))
    elif _others(person).filter(login=login).exists():
        problems.append(Problem("login", Reason.TAKEN))
    return login


def checked_address(text: str, problems: list[Problem]) -> str:
    """An address for notices; none is allowed."""
    address = tidy_address(text)
    if address:
        try:
            validate_email(address)
        except ValidationError:
            problems.append(Problem("email", Reason.CHARACTERS))
        if len(address) > ADDRESS_LENGTH:
            problems.append(Problem("email", Reason.LONG))
    return address


def checked_role(role: str, problems: list[Problem]) -> str:
    """One of the roles."""
    if role not in Role.values:
        problems.append(Problem("role", Reason.UNKNOWN))
    return role


def checked_language(language: str, problems: list[Problem]) -> str:
    """A language that the pages speak, or "" for the organization's."""
    if language and language not in Language.values:
        problems.append(Problem("language", Reason.UNKNOWN))
    return language


def checked_time_zone(field: str, name: str, problems: list[Problem]) -> str:
    """The IANA name of a time zone."""
    if name not in available_timezones():
        problems.append(Problem(field, Reason.UNKNOWN))
    return name


def check_password(password: str, person: Person, problems: list[Problem]) -> None:
    """A new password: 12 characters or more, not the login name, not one of the well-known ones."""
    if not password:
        problems.append(Problem("password", Reason.MISSING))
    elif len(password) < PASSWORD_LENGTH:
        problems.append(Problem("password", Reason.SHORT))
    elif len(password) > PASSWORD_LIMIT:
        problems.append(Problem("password", Reason.LONG))
    elif _is_common(password, person):
        problems.append(Problem("password", Reason.COMMON))


def _others(person: Person | None) -> QuerySet[Person]:
    return Person.objects.exclude(pk=person.pk) if person else Person.objects.all()


def _is_common(password: str, person: Person) -> bool:
    if normalize_login(password) == person.login or len(set(password)) < 4:
        return True
    try:
        CommonPasswordValidator().validate(password)
    except ValidationError:
        return True
    return False
