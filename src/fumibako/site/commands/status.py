"""`fumibako status`."""

from typing import Any

import click


@click.command()
@click.argument("address", required=False)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON value: with ADDRESS an object, else a list.")
def command(address: str | None, as_json: bool) -> None:
    """Say how mailboxes stand: state, cause, last proof of life, and for each folder whether anything is missing."""
    import json

    from fumibako.site.setup import set_up

    set_up()

    from fumibako.site.refusal import Refusal
    from fumibako.site.status import mailbox_status
    from fumibako.site.words import gettext

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
        skipped = "".join(f", {count} {reason}" for reason, count in folder["skipped"].items())
        lines.append(f"  {folder['name']}: {folder['stored']} of {folder['on_server']} stored{skipped}")
    return "\n".join(lines)
