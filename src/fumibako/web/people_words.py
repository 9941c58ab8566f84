"""What accounts refuse, in words for the field where it was typed."""

from django.utils.translation import gettext_lazy

from fumibako.accounts import Invalid, Problem, Reason

WORDS = {
    Problem("name", Reason.MISSING): gettext_lazy("Enter the name."),
    Problem("name", Reason.LONG): gettext_lazy("The name is too long. 200 characters at most."),
    Problem("login", Reason.MISSING): gettext_lazy("Enter the login name."),
    Problem("login", Reason.CHARACTERS): gettext_lazy(
        "A login name has letters a to z, digits and . _ - + @ only, and begins with a letter or a digit."
    ),
    Problem("login", Reason.TAKEN): gettext_lazy("This login name is taken. Choose another."),
    Problem("email", Reason.CHARACTERS): gettext_lazy("The mail address is not right."),
    Problem("email", Reason.LONG): gettext_lazy("The mail address is too long."),
    Problem("password", Reason.MISSING): gettext_lazy("Enter the new password."),
    Problem("password", Reason.SHORT): gettext_lazy("The password is too short. 12 characters or more."),
    Problem("password", Reason.LONG): gettext_lazy("The password is too long. 1,024 characters at most."),
    Problem("password", Reason.COMMON): gettext_lazy("This password is easy to guess. Choose another."),
    Problem("current", Reason.MISSING): gettext_lazy("Enter your present password."),
    Problem("current", Reason.WRONG): gettext_lazy("This is not your present password."),
}

OTHERWISE = gettext_lazy("Choose one of the list.")
"""What can be wrong only when the form was not ours."""


def words_by_field(error: Invalid) -> dict[str, str]:
    """A sentence for each field that was not taken."""
    return {problem.field: str(WORDS.get(problem, OTHERWISE)) for problem in error.problems}
