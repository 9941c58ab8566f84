from datetime import UTC, datetime
from pathlib import Path

import pytest

from fumibako.site.sample.mailbox import fill
from fumibako.site.sample.store import Store

NOW = datetime(2026, 11, 25, 0, 30, tzinfo=UTC)


def thread(raw: bytes, folder: Path) -> str:
    store = Store(folder / "mail.sqlite")
    added = store.add(store.add_folder(str(len(store.folders()))).id, raw, NOW, [])
    store.close()
    return added.thread_id


def test_a_filling_that_is_interrupted_leaves_nothing_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store, add, times = Store(tmp_path / "mail.sqlite"), Store.add, iter(range(50))

    def failing(*arguments: object) -> object:
        if next(times, None) is None:
            raise OSError("no space left")
        return add(*arguments)  # type: ignore[arg-type]

    with monkeypatch.context() as patch, pytest.raises(OSError, match="no space left"):
        patch.setattr(Store, "add", failing)
        fill(store, NOW)
    assert store.folders() == []
    fill(store, NOW)
    first = {folder.name: len(store.mails(folder.id)) for folder in store.folders()}
    fill(store, NOW)
    assert {folder.name: len(store.mails(folder.id)) for folder in store.folders()} == first
    assert sum(first.values()) > 200
    store.close()


def test_mails_that_name_the_same_first_mail_are_one_thread(tmp_path: Path) -> None:
    first = thread(b"Message-ID: <a@x.example>\r\n\r\n<z@x.example>\r\n", tmp_path)
    folded = b"Message-ID: <c@x.example>\r\nReferences:\r\n <a@x.example>\r\n <b@x.example>\r\n\r\n"
    assert thread(folded, tmp_path) == first
    assert thread(b"In-Reply-To: <a@x.example>\r\nMessage-ID: <d@x.example>\r\n\r\n", tmp_path) == first
    assert thread(b"Subject: <a@x.example>\r\n\r\n", tmp_path) != first
