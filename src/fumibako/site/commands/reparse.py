"""`fumibako reparse`."""

import time

import click

PROGRESS_SECONDS = 1.0  # between two lines of progress


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print one JSON value.")
def command(as_json: bool) -> None:
    """Read again the mail that an older version of the reader has read, or could not read.

    May be stopped and started again, and run while mail arrives. Nothing is announced as new by it.
    """
    import asyncio
    import json

    from fumibako.site.setup import set_up

    set_up()

    from fumibako.archive import ParserPool, Reparsed, read_again
    from fumibako.events import connect_directly

    async def run() -> Reparsed:
        async with ParserPool(children=1, slots=1) as parsers, await connect_directly() as connection:
            return await read_again(connection, parsers, progress)

    said = time.monotonic()

    def progress(done: int, total: int) -> None:
        nonlocal said
        if time.monotonic() - said >= PROGRESS_SECONDS:
            said = time.monotonic()
            click.echo(f"{done:,} of {total:,}", err=True)

    done = asyncio.run(run())
    if as_json:
        click.echo(json.dumps({"read": done.read, "unreadable": done.unreadable}))
    else:
        click.echo(f"{done.read:,} read again, {done.unreadable:,} could not be read")
