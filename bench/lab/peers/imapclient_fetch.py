"""IMAPClient: all mails by FETCH of 500 each, kept by nobody."""

import json
import os
import ssl
import time

from imapclient import IMAPClient

AT_ONCE = 500

context = ssl.create_default_context(cafile=os.environ["CAFILE"])
started = time.perf_counter()
mails = size = 0
with IMAPClient("localhost", int(os.environ["PORT"]), ssl=True, ssl_context=context) as client:
    client.login(os.environ["ADDRESS"], os.environ["PASSWORD"])
    client.select_folder("INBOX", readonly=True)
    uids = client.search("ALL")
    for at in range(0, len(uids), AT_ONCE):
        for fetched in client.fetch(uids[at : at + AT_ONCE], ["FLAGS", "INTERNALDATE", "BODY.PEEK[]"]).values():
            mails += 1
            size += len(fetched[b"BODY[]"])
seconds = time.perf_counter() - started
print(json.dumps({"seconds": seconds, "mails": mails, "bytes": size}))
