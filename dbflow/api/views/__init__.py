# SPDX-License-Identifier: Apache-2.0
"""How things are shown: rows in, the wire's dictionaries out. Keys that don't apply are left out, not null."""

import datetime


def timestamp(when: datetime.datetime) -> str:
    """As Trove writes it: no zone, whole seconds."""
    return when.isoformat(timespec="seconds")
