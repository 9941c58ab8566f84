"""`fumibako worker`."""

import click


@click.command()
def command() -> None:
    """Import and watch mailboxes."""
    import uvloop

    from fumibako.site.setup import read_settings, set_up

    set_up(pool=read_settings().FUMIBAKO_DATABASE_POOL)

    from fumibako.site.network import network
    from fumibako.site.refusal import Refusal
    from fumibako.site.words import gettext
    from fumibako.syncing import PoolerInBetween, run_worker

    try:
        uvloop.run(run_worker(network()))
    except PoolerInBetween:
        raise Refusal(
            gettext(
                "DATABASE_URL leads through a connection pooler in transaction mode, where a worker cannot hold its "
                "presence. Set FUMIBAKO_DATABASE_DIRECT_URL to the database itself."
            )
        ) from None
