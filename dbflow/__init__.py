# SPDX-License-Identifier: Apache-2.0
"""Databases as a service: Trove's API, every operation a resumable TaskFlow graph."""

import importlib.metadata
import sys
from typing import Any, cast

# oslo.messaging brings eventlet along, and other libraries load it wherever they find it: every process would start a
# second later, for nothing. dbflow has threads.
sys.modules.setdefault("eventlet", cast(Any, None))

__version__ = importlib.metadata.version("dbflow")
