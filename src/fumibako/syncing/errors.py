"""Why a worker cannot work."""


class PoolerInBetween(Exception):
    """The direct connection goes through a transaction pooler, where session locks and LISTEN do not hold.

    The operator has to set FUMIBAKO_DATABASE_DIRECT_URL to the database itself.
    """

    def __init__(self) -> None:
        super().__init__("a connection pooler in transaction mode: set FUMIBAKO_DATABASE_DIRECT_URL")
