"""`fumibako org`."""

import click


@click.group()
def command() -> None:
    """Organizations."""


@command.command()
@click.argument("name")
@click.option("--admin", metavar="LOGIN", help="Add a first admin with this login name.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON value.")
def create(name: str, admin: str | None, as_json: bool) -> None:
    """Make an organization and print its id."""
    from fumibako.site.setup import set_up

    set_up()

    from fumibako.site.organizations import make_organization

    made = make_organization(name, admin)
    click.echo(made.as_json() if as_json else made.as_text())
