"""`fumibako unlink`."""

import click


@click.command()
@click.argument("address")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON value.")
def command(address: str, as_json: bool) -> None:
    """Unlink a mailbox: its password is destroyed, the imported mail stays."""
    import json

    from fumibako.site.setup import set_up

    set_up()

    from fumibako import linking
    from fumibako.site.refusal import Refusal
    from fumibako.site.words import gettext

    linked = [(person, box) for person, box in linking.find_mailboxes(address) if box.state != "unlinked"]
    if not linked:
        raise Refusal(gettext("No mailbox of the address %(address)s is linked.") % {"address": address})
    for person, box in linked:
        linking.unlink(person, box.public_id)
    answer = {"address": address, "unlinked": [box.public_id for _, box in linked]}
    click.echo(json.dumps(answer, ensure_ascii=False) if as_json else f"{address}: unlinked")
