"""`fumibako worker`."""

import click


@click.command()
def command() -> None:
    """Import and watch mailboxes."""
    import uvloop

    from fumibako.site.setup import read_settings, set_up

    set_up(pool=read_settings().FUMIBAKO_DATABASE_POOL)

    from fumibako.site.network import network
    from fumibako.syncing import run_worker

    uvloop.run(run_worker(network()))
