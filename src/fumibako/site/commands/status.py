"""`fumibako status`."""

from typing import Any

import click


@click.command()
@click.argument("address", required=False)
@click.option("--check", is_flag=True, help="Compare with the mail server first (a worker must run).")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON value: with ADDRESS an object, else a list.")
def command(address: str | None, check: bool, as_json: bool) -> None:
    """Say how mailboxes stand: state, cause, last proof of life, and for each folder whether anything is missing."""
    import json

    from fumibako.site.setup import set_up

    set_up()

    from fumibako.site.refusal import Refusal
    from fumibako.site.status import compare, mailbox_status
    from fumibako.site.words import gettext

    if check:
        if address is None:
            raise click.UsageError("--check needs an ADDRESS")
        compare(address)
    boxes = mailbox_status(address)
    if address is not None and not boxes:
        raise Refusal(gettext("No mailbox of the address %(address)s is linked.") % {"address": address})
    if as_json:
        click.echo(json.dumps(boxes[0] if address is not None else boxes, ensure_ascii=False))
    else:
        click.echo("\n".join(_text(box) for box in boxes))


def _text(box: dict[str, Any]) -> str:
    lines = [f"{box['address']}: {box['state']}" + (f" ({box['cause']})" if box["cause"] else "")]
    for folder in box["folders"]:
        told = [f"{folder['stored']} of {folder['on_server']} stored"]
        told += [f"{count} {reason}" for reason, count in folder["skipped"].items()]
        told += [f"{folder[name]} {name}" for name in ("waiting", "missing") if folder[name]]
        told.append(f"compared {folder['last_proof'][:16]}" if folder["last_proof"] else "not compared yet")
        told += [f"not opened by the server: {folder['refused']}"] if folder["refused"] else []
        if folder["missing_since"]:
            told.append(f"gone from the server since {folder['missing_since'][:16]}")
        elif folder["refused"]:
            told.append(f"not opened by the server: {folder['refused']}")
        lines.append(f"  {folder['name']}: {', '.join(told)}")
    return "\n".join(lines)
