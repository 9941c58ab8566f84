"""`fumibako link`."""

import sys
from typing import Any

import click


@click.command()
@click.argument("address")
@click.option("--user", "login", required=True, metavar="LOGIN", help="Whose mailbox it is: a login name.")
@click.option("--imap", metavar="HOST[:PORT]", help="The receiving server, where it cannot be found.")
@click.option("--smtp", metavar="HOST[:PORT]", help="The sending server, where it cannot be found.")
@click.option("--username", metavar="NAME", help="The user name, where it is not the address.")
@click.option("--trust-server", "trusted", multiple=True, metavar="NAME", help="A server that may get the password.")
@click.option("--password-stdin", is_flag=True, help="Read the password from standard input.")
@click.option("--folder", "folders", multiple=True, metavar="NAME", help="A folder to import; else the usual ones.")
@click.option("--range", "span", default=None, type=click.Choice(["3m", "1y", "all"]), help="How far back.")
@click.option("--wait", is_flag=True, help="Wait until the import is done (a worker must run).")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON value.")
def command(
    address: str,
    login: str,
    imap: str | None,
    smtp: str | None,
    username: str | None,
    trusted: tuple[str, ...],
    password_stdin: bool,
    folders: tuple[str, ...],
    span: str | None,
    wait: bool,
    as_json: bool,
) -> None:
    """Link a mailbox for a member, as the pages do. The password is asked for, or read from standard input."""
    from fumibako.site.setup import set_up

    set_up()

    from fumibako.site.linking import Wanted, link_mailbox

    password = (
        sys.stdin.readline().rstrip("\r\n") if password_stdin else click.prompt("Password", hide_input=True, err=True)
    )
    wanted = Wanted(address, login, password, imap, smtp, username, trusted, folders, span, wait)
    answer: dict[str, Any] = link_mailbox(wanted)
    click.echo(_json(answer) if as_json else _text(answer))
    if not answer["linked"]:
        raise SystemExit(1)


def _json(answer: dict[str, Any]) -> str:
    import json

    return json.dumps(answer, ensure_ascii=False)


def _text(answer: dict[str, Any]) -> str:
    if answer["linked"]:
        return f"{answer['address']}: linked" + (f" (receiving only: {answer['notice']})" if answer["notice"] else "")
    lines = [f"{answer['address']}: not linked: {answer['cause']} ({answer['stage']})"]
    lines += [f"  {answer['server_words']}"] if answer["server_words"] else []
    lines += [f"  {answer['remedy'][language]}" for language in ("ja", "en") if answer["remedy"]]
    return "\n".join(lines)
