"""`fumibako up`."""

import os
from pathlib import Path

import click


@click.command()
@click.option("--data", type=click.Path(path_type=Path, file_okay=False), envvar="FUMIBAKO_DATA", help="Data folder.")
@click.option("--host", envvar="FUMIBAKO_HOST", default="127.0.0.1", show_default=True, help="Address to listen at.")
@click.option("--port", envvar="FUMIBAKO_PORT", default=8000, show_default=True, help="Port; 0: a free one.")
@click.option("--sample/--no-sample", default=True, help="With a sample mail server to link, or without.")
@click.option("--insecure-lan", is_flag=True, help="Take passwords over plain HTTP from other machines too.")
def command(data: Path | None, host: str, port: int, sample: bool, insecure_lan: bool) -> None:
    """Run everything: the database, the pages, one worker and a sample mail server."""
    from fumibako.site.data_folder import default_folder
    from fumibako.site.up import Wishes, configure_log, up

    configure_log()
    folder = (data or default_folder()).absolute()
    up(Wishes(folder, host, port, sample, insecure_lan, os.environ.get("DATABASE_URL", "")))
