"""`fumibako read`."""

from pathlib import Path

import click


@click.command()
@click.argument("files", nargs=-1, required=True, type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="Print one JSON value: a list, one object a file.")
def command(files: tuple[Path, ...], as_json: bool) -> None:
    """Show what the product makes of mails in files (message/rfc822). Nothing is stored."""
    import json

    from fumibako.mail.letter import describe

    mails = [describe(file.read_bytes(), str(file)) for file in files]
    if as_json:
        click.echo(json.dumps(mails, ensure_ascii=False))
        return
    for mail in mails:
        people = ", ".join(f"{who['name']} <{who['address']}>" for who in mail["from"])
        click.echo(f"{mail['file']}\n  {mail['date'] or '-'}  {people}\n  {mail['subject']}\n\n{mail['text']}\n")
