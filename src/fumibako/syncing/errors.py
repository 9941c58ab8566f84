"""Why a worker cannot work."""


class PoolerInBetween(Exception):
    """The direct connection goes through a transaction pooler, where session locks and LISTEN do not hold."""

    def __init__(self) -> None:
        super().__init__(
            "DATABASE_URL leads through a connection pooler in transaction mode, where a worker's presence cannot be "
            "held. Set FUMIBAKO_DATABASE_DIRECT_URL to the database itself."
        )
