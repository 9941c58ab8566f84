"""What the verbs of this room refuse."""


class ArchiveError(Exception):
    """A verb of this room could not do its work; nothing was changed."""


class NotFound(ArchiveError):
    """There is no such message, folder or file that this person may read."""


class Stale(ArchiveError):
    """A batch came too late: the mailbox's generation, the folder's UIDVALIDITY or the shard's owner has changed."""
