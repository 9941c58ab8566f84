"""`fumibako migrate`."""

import click


@click.command()
@click.option("--check", is_flag=True, help="Only say whether there is something to do: exit code 1 if so.")
def command(check: bool) -> None:
    """Bring the database to this version; at first, make the key file too."""
    from fumibako.site.setup import set_up

    set_up(keys=False)

    from fumibako.site.migrate import is_current, migrate

    if not check:
        migrate()
    elif not is_current():
        raise SystemExit(1)
