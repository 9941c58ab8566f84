"""`fumibako worker`."""

import click


@click.command()
def command() -> None:
    """Import and watch mailboxes."""
    import uvloop
    from django.conf import settings

    from fumibako.site.setup import set_up

    set_up(pool=settings.FUMIBAKO_DATABASE_POOL)

    from fumibako.site.network import network
    from fumibako.syncing import run_worker

    uvloop.run(run_worker(network()))
