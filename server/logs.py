"""Logs: one line an event, readable on a terminal or as JSON; never a phone, a token or a code.

One exception, by design: the console provider writes one-time sign-in codes to standard error."""

import logging
import sys

import structlog

from loyalty.settings import Settings


def configure_logs(settings: Settings) -> None:
    """Set up structlog for the process, on standard error."""
    last = (
        structlog.processors.JSONRenderer()
        if settings.log_format == "json"
        else structlog.dev.ConsoleRenderer(
            colors=sys.stderr.isatty(),
            # Local variables may hold what must not be logged.
            exception_formatter=structlog.dev.plain_traceback,
        )
    )
    processors: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    if settings.log_format == "json":
        processors.append(structlog.processors.format_exc_info)
    structlog.configure(
        processors=[*processors, last],
        wrapper_class=structlog.make_filtering_bound_logger(
            logging.getLevelNamesMapping()[settings.log_level]
        ),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=True,
    )


class LibraryWarnings(logging.Handler):
    """What a library warns of, in our form; below a warning it tells nothing new."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self._log = structlog.get_logger("library")

    def emit(self, record: logging.LogRecord) -> None:
        self._log.log(
            record.levelno,
            "library",
            logger=record.name,
            said=record.getMessage(),
            exc_info=record.exc_info,
        )
