"""IMAPClient: opens a folder and asks for all UIDs and flags, as a program must that wants to know what has changed."""

import json
import os
import ssl
import time

from imapclient import IMAPClient

context = ssl.create_default_context(cafile=os.environ["CAFILE"])
with IMAPClient("localhost", int(os.environ["PORT"]), ssl=True, ssl_context=context) as client:
    client.login(os.environ["ADDRESS"], os.environ["PASSWORD"])
    started = time.perf_counter()
    client.select_folder("INBOX", readonly=True)
    flags = client.fetch(client.search("ALL"), ["FLAGS"])
    print(json.dumps({"seconds": time.perf_counter() - started, "mails": len(flags)}))
