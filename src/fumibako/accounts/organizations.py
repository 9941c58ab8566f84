"""Organizations are made by the operator."""

from django.db import transaction

from fumibako.accounts.checks import checked_name, checked_time_zone, raise_for
from fumibako.accounts.errors import Problem, Reason
from fumibako.accounts.models import Language, Organization
from fumibako.accounts.trail import audit


@transaction.atomic
def create_organization(name: str, *, language: str = "ja", time_zone: str = "Asia/Tokyo") -> Organization:
    """Make an organization. It has nobody yet: its first admin comes by ``add_person``.

    Raises Invalid for an empty name, a language that is not spoken or a time zone that is not known.
    """
    problems: list[Problem] = []
    name = checked_name("name", name, problems)
    if language not in Language.values:
        problems.append(Problem("language", Reason.UNKNOWN))
    checked_time_zone("time_zone", time_zone, problems)
    raise_for(problems)
    organization = Organization.objects.create(name=name, language=language, time_zone=time_zone)
    audit(organization, None, "organization.created", subject=organization.public_id)
    return organization
