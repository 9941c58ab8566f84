"""`fumibako web`."""

import socket

import click


@click.command()
@click.option("--host", envvar="FUMIBAKO_HOST", default="127.0.0.1", show_default=True, help="Address to listen at.")
@click.option("--port", envvar="FUMIBAKO_PORT", default=8000, show_default=True, help="Port to listen at.")
@click.option("--fd", type=int, hidden=True, help="A listening socket that the parent process passes on.")
def command(host: str, port: int, fd: int | None) -> None:
    """Answer pages (one process; any number of them may share a database)."""
    from fumibako.site.listening import listen
    from fumibako.site.setup import read_settings, set_up

    listening = socket.socket(fileno=fd) if fd is not None else listen(host, port)
    set_up(pool=read_settings().FUMIBAKO_DATABASE_POOL)

    from fumibako.site.serve import serve

    serve(listening)
