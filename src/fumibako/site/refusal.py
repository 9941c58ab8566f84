"""How a command ends that did not work: a sentence for the operator and exit code 1."""

import click

from fumibako.site.words import gettext


class Refusal(click.ClickException):
    """The sentence, already in the operator's language."""

    exit_code = 1

    def show(self, file: object = None) -> None:
        """Write the sentence to standard error, without click's "Error:" before it."""
        click.echo(self.message, err=True)


def database_not_running() -> Refusal:
    """The embedded database is not there to be asked."""
    return Refusal(gettext("The database does not answer. Start Fumibako with `fumibako up` first."))
