"""Fills a new mailbox."""

from datetime import datetime, timedelta

from fumibako.site.sample.store import Store

FOLDERS = ("INBOX", "送信済み", "案件/東京商事", "案件/みなと工業")
FIRST = (
    "From: naoki@tokyo-shoji.example\r\nTo: taro.yamada@sample-shoji.example\r\nSubject: No. {n}\r\n"
    "Message-ID: <{n}@tokyo-shoji.example>\r\nDate: {date:%d %b %Y %X} +0000\r\n\r\nNo. {n}\r\n"
)


def fill(store: Store, now: datetime) -> None:
    """Fill an empty store with the sample mailbox, in one transaction; a filled one is left alone."""
    with store.transaction():
        if store.folders():
            return
        for name in FOLDERS:
            folder = store.add_folder(name)
            for n in range(3):
                date = now - timedelta(days=n)
                store.add(folder.id, FIRST.format(n=f"{folder.id}.{n}", date=date).encode(), date, ["\\Seen"])
