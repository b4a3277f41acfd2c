# SPDX-License-Identifier: Apache-2.0
"""What gunicorn says of itself and of its workers, in lines like all others: with ids, where the configuration says."""

import logging
from typing import Any

from gunicorn import glogging  # type: ignore[import-untyped]


class Logger(glogging.Logger):
    """gunicorn's own, which would write to standard error in a form of its own. It still does what ``errorlog``,
    ``syslog`` and ``logconfig`` of a ``gunicorn.conf.py`` ask for; then its lines go there only."""

    def setup(self, cfg: Any) -> None:
        """Called at the start and whenever gunicorn reads its configuration again."""
        super().setup(cfg)
        for handler in [*self.error_log.handlers]:
            if type(handler) is logging.StreamHandler and hasattr(handler, "_gunicorn"):  # gunicorn's mark of its own
                self.error_log.removeHandler(handler)
        self.error_log.propagate = not self.error_log.handlers
