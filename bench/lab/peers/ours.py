"""The product: all mails listed, from the click that ends the link wizard on; a new database, a real worker process.

Variables and output are those of its neighbours; DOVECOT is the pid of the server. More is told: seconds until 50 mails
can be read, CPU seconds of each part, the most bytes in RAM of owner and child.
"""

import json
import os
import time
from pathlib import Path

from bench.lab.product import MailPort, running_product
from bench.lab.usage import cpu_of_tree

FIRST = 50  # mails of the first screen
_STORED = "SELECT coalesce(sum(upper(piece) - lower(piece)), 0)::int FROM folder, unnest(known) AS piece"


def stored() -> int:
    """How many mails have been committed; cheap, since it is asked all the time."""
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute(_STORED)
        return cursor.fetchone()[0]


def main() -> None:
    """Link, wait until all is stored, print."""
    port, address, wanted = int(os.environ["PORT"]), os.environ["ADDRESS"], int(os.environ["MAILS"])
    server = int(os.environ["DOVECOT"])
    with running_product(MailPort(port, Path(os.environ["CAFILE"]))) as product:
        from fumibako import linking
        from fumibako.archive.models import Message
        from tests.lab.ports import free_port

        person = product.world.person
        wish = linking.ServerWish(host="127.0.0.1", port=str(port))
        nobody = linking.ServerWish(host="127.0.0.1", port=str(free_port()))
        secrets = linking.SecretsTyped(os.environ["PASSWORD"])
        draft = linking.start_link(person, address, secrets, imap=wish, smtp=nobody)
        while (state := linking.get_draft(person, draft.public_id).state) != "proved":
            if state == "failed":
                raise SystemExit(f"not linked: {linking.get_draft(person, draft.public_id)}")
            time.sleep(0.01)
        rows = linking.folders_to_choose(person, draft.public_id)
        before, of_server = product.spent(), cpu_of_tree(server)
        started = time.perf_counter()
        linking.finish_link(person, draft.public_id, linking.suggest(rows, "all"))
        while stored() < min(FIRST, wanted):
            time.sleep(0.005)
        first = time.perf_counter() - started
        while stored() < wanted:
            time.sleep(0.02)
        seconds = time.perf_counter() - started
        spent = {part: after - before[part] for part, after in product.spent().items()}
        spent["server"] = cpu_of_tree(server) - of_server
        if Message.objects.count() != wanted:
            raise SystemExit(f"{Message.objects.count()} mails of {wanted}")
        size = sum(Message.objects.values_list("size", flat=True))
        told = {"seconds": seconds, "mails": wanted, "bytes": size, "first": first}
        print(json.dumps({**told, "cpu": spent, "peak": product.peaks()}))


if __name__ == "__main__":
    main()
