"""Run the sample mail server: `python -m fumibako.site.sample --folder DIR [--arrivals-every SECONDS]`."""

import argparse
import asyncio
import logging
import os
import sys
from pathlib import Path

from fumibako.site.sample.server import FolderInUse, serve


def main() -> int:
    """Serve until told to stop; 1 when another server has the folder."""
    parser = argparse.ArgumentParser(prog="python -m fumibako.site.sample", description=__doc__)
    parser.add_argument("--folder", type=Path, required=True, help="where the mailbox, keys and certificate are kept")
    parser.add_argument(
        "--arrivals-every",
        type=float,
        default=180.0,
        metavar="SECONDS",
        help="about how often a new mail arrives; 0 for never (default: %(default)s)",
    )
    arguments = parser.parse_args()
    logging.basicConfig(level=logging.WARNING, format="%(message)s")
    logging.getLogger("mail.log").setLevel(logging.ERROR)  # aiosmtpd's: warns of its own attributes at each login
    os.umask(0o077)
    try:
        asyncio.run(serve(arguments.folder, arguments.arrivals_every))
    except FolderInUse as busy:
        print(f"Another sample mail server is running in {busy}.", file=sys.stderr)  # noqa: T201
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
