"""What folders are for."""

import pytest

from fumibako.mail.discovery import role_of
from fumibako.mail.imap import Listed


def listed(name: str, *attributes: str, delimiter: str | None = "/") -> Listed:
    return Listed(name.encode(), name, delimiter, frozenset(attributes))


@pytest.mark.parametrize(
    ("folder", "role"),
    [
        (listed("INBOX"), "inbox"),
        (listed("Inbox"), "inbox"),
        (listed("Elsewhere", "\\Sent"), "sent"),
        (listed("Elsewhere", "\\sent"), "sent"),
        (listed("Trash", "\\Archive"), "archive"),
        (listed("[Gmail]/すべてのメール", "\\All"), "all"),
        (listed("[Gmail]/すべてのメール"), "all"),
        (listed("[Gmail]/スター付き", "\\Flagged"), "other"),
        (listed("送信済みアイテム"), "sent"),
        (listed("送信済みﾒｰﾙ"), "sent"),
        (listed("ＳＥＮＴ"), "sent"),
        (listed("INBOX.Sent Items", delimiter="."), "sent"),
        (listed("INBOX.INBOX.Sent", delimiter="."), "sent"),
        (listed("下書き"), "drafts"),
        (listed("迷惑メール"), "junk"),
        (listed("ごみ箱"), "trash"),
        (listed("削除済みアイテム"), "trash"),
        (listed("アーカイブ"), "archive"),
        (listed("送信トレイ"), "other"),
        (listed("OUTBOX"), "other"),
        (listed("Postausgang"), "other"),
        (listed("案件/送信済み"), "sent"),
        (listed("ごみ箱/送信済み"), "trash"),
        (listed("Junk/2024"), "junk"),
        (listed("案件A"), "other"),
        (listed("Sent Items of others"), "other"),
        (listed("Sent", delimiter=None), "sent"),
    ],
    ids=lambda value: f"{value.name} {' '.join(value.attributes)}" if isinstance(value, Listed) else None,
)
def test_a_folder_has_the_role_of_its_special_use_or_else_of_its_name(folder: Listed, role: str) -> None:
    assert role_of(folder) == role
