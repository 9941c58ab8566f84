"""`fumibako search`."""

import click


@click.command()
@click.argument("words", nargs=-1, required=True)
@click.option("--as", "login", required=True, metavar="LOGIN", help="Whose mail is searched: a login name.")
@click.option("--limit", default=50, show_default=True, help="The most messages to print.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON value: a list.")
def command(words: tuple[str, ...], login: str, limit: int, as_json: bool) -> None:
    """Find mail that a person may read: every word must stand in its subject, people, text or file names."""
    import json

    from fumibako.site.setup import set_up

    set_up()

    from django.utils.timezone import localtime

    from fumibako import archive
    from fumibako.site.linking import find_person

    found = archive.list_messages(find_person(login), words=" ".join(words), limit=limit).rows
    if as_json:
        hits = [
            {
                "id": row.public_id,
                "mailbox": row.mailbox_address,
                "at": row.at.isoformat(),
                "from": {"name": row.sender.name, "address": row.sender.address},
                "to": [{"name": who.name, "address": who.address} for who in row.to],
                "subject": row.subject,
                "snippet": row.snippet,
                "outgoing": row.outgoing,
                "unread": row.unread,
                "attachments": row.attachments,
            }
            for row in found
        ]
        click.echo(json.dumps(hits, ensure_ascii=False))
    else:
        click.echo(
            "\n".join(f"{localtime(row.at):%Y-%m-%d %H:%M}  {row.sender.address}  {row.subject}" for row in found)
        )
