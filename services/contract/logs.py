"""One grammar for every log line of ours: time, level, process, logger, message; to standard error."""

import logging
import os


def configure_logging(process_name: str) -> None:
    """Once, in a `__main__`. LOUPE_LOG_LEVEL chooses the level (default INFO)."""
    level = os.environ.get("LOUPE_LOG_LEVEL", "INFO").upper()
    known = logging.getLevelNamesMapping()
    logging.basicConfig(
        level=known.get(level, logging.INFO),
        format=f"%(asctime)s %(levelname)s {process_name} %(name)s: %(message)s",
        datefmt="%Y-%m-%dT%H:%M:%S%z",
        force=True,
    )
    logging.getLogger("kafka").setLevel(max(logging.WARNING, known.get(level, logging.INFO)))
    logging.getLogger("httpx").setLevel(logging.WARNING)
    if level not in known:
        logging.getLogger(__name__).warning("LOUPE_LOG_LEVEL: expected one of %s, got %r", ", ".join(known), level)
