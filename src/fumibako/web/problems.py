"""What the verbs refuse, in words for the field where it was typed."""

from django.utils.translation import get_language, gettext, gettext_lazy

from fumibako.linking import BadInput

EMPTY = {
    "address": gettext_lazy("Enter the mail address."),
    "alias": gettext_lazy("Enter the mail address."),
    "password": gettext_lazy("Enter the password of your mail program."),
}
"""What is said of an empty field, by its name."""


def words_of(error: BadInput) -> str:
    """The sentence for an input that cannot be used."""
    if error.words is not None:
        return str(error.words.in_language(get_language() or "ja"))
    return {
        "empty": str(EMPTY.get(error.field, "")) or gettext("This field is empty."),
        "wrong_address": gettext("The mail address is not right."),
        "wrong_server_name": gettext("The mail server name is not right."),
        "wrong_port": gettext("A port is a number from 1 to 65535."),
        "no_folder": gettext("Choose at least one folder."),
        "unknown_folder": gettext("A folder that you chose is no longer on the server. Choose again."),
        "same_address": gettext("This mailbox has that address already."),
    }.get(error.code, gettext("This cannot be used."))
