"""Logs go to standard error: JSON, one object a line, or plain lines where a person looks on.

Every line carries what is worked on (`fumibako.context`: request, job, mailbox). Nothing leaves unredacted.
"""

import logging
import sys
from typing import Any

from fumibako import context
from fumibako.site.redaction import MASK, is_secret_name, redact

QUIET = ("uvicorn", "asyncio", "aiosmtpd", "mail.log", "httpx", "httpcore", "psycopg", "django")
_KNOWN = frozenset(logging.makeLogRecord({}).__dict__) | {"message", "asctime", "color_message", "taskName"}


def configure(level: str = "INFO", form: str = "auto") -> None:
    """Set up this process's logging; `form` is json, text, or auto: text when standard error is a terminal."""
    text = form == "text" or (form == "auto" and sys.stderr.isatty())
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(TextFormatter() if text else _json_formatter())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)
    for name in QUIET:
        logging.getLogger(name).setLevel(max(root.level, logging.WARNING))
    logging.getLogger("django.request").setLevel(logging.CRITICAL)  # fumibako.site.requests logs without addresses
    if text and root.level >= logging.INFO:
        logging.getLogger("fumibako.site.requests").setLevel(logging.WARNING)
    logging.captureWarnings(True)


def facts(record: logging.LogRecord) -> dict[str, Any]:
    """What a record says beside its message: ids of what is worked on, and plain values given as `extra`."""
    given = {
        name: MASK if is_secret_name(name) else redact(value) if isinstance(value, str) else value
        for name, value in record.__dict__.items()
        if name not in _KNOWN and isinstance(value, str | int | float | bool)
    }
    return {**context.ids(), **given}


class TextFormatter(logging.Formatter):
    """`10:31:02 warning fumibako.syncing: text (mailbox=mb_…)`."""

    def format(self, record: logging.LogRecord) -> str:
        """The line, with the traceback beneath."""
        time = self.formatTime(record, "%H:%M:%S")
        ids = ", ".join(f"{name}={value}" for name, value in context.ids().items())
        line = f"{time} {record.levelname.lower()} {record.name}: {record.getMessage()}{f' ({ids})' if ids else ''}"
        if record.exc_info:
            line = f"{line}\n{self.formatException(record.exc_info)}"
        return redact(line)


def _json_formatter() -> logging.Formatter:
    from pythonjsonlogger.core import LogData
    from pythonjsonlogger.json import JsonFormatter

    class RedactedJson(JsonFormatter):
        """Time, level, logger, message, ids, plain extras, traceback."""

        def add_fields(self, log_data: LogData, record: logging.LogRecord, message_dict: LogData) -> None:
            log_data["time"] = self.formatTime(record, "%Y-%m-%dT%H:%M:%S") + f".{int(record.msecs):03d}Z"
            log_data["level"] = record.levelname.lower()
            log_data["logger"] = record.name
            log_data["message"] = redact(record.getMessage())
            log_data.update(facts(record))
            if record.exc_info:
                log_data["traceback"] = redact(logging.Formatter().formatException(record.exc_info))

    import time

    formatter = RedactedJson(json_ensure_ascii=False)
    formatter.converter = time.gmtime
    return formatter
