"""What a module logs, at every level, whatever the application has configured: others of this process may have, and a
logger that was used once stays as it was then."""

from collections.abc import Iterator, MutableMapping
from contextlib import contextmanager
from types import ModuleType
from typing import Any
from unittest.mock import patch

import structlog
from structlog.testing import LogCapture


@contextmanager
def logged_by(module: ModuleType, name: str = "_log") -> Iterator[list[MutableMapping[str, Any]]]:
    """`name` is that of the module's logger."""
    logged = LogCapture()
    every_level = structlog.make_filtering_bound_logger(0)
    log = structlog.wrap_logger(structlog.ReturnLogger(), processors=[logged], wrapper_class=every_level)
    with patch.object(module, name, log):
        yield logged.entries
