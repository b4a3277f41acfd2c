# SPDX-License-Identifier: Apache-2.0
"""Takes a task's secrets out of what its failure says; failures end in logs and in SQL."""

import re
from collections.abc import Iterator
from typing import Any

_SECRET_NAME = re.compile(r"passw|secret|token|key|credential", re.IGNORECASE)
_SHORTEST = 3
"""Shorter texts are part of every other word."""
MASK = "***"


def secrets(arguments: Any, *, secret: bool = False) -> Iterator[str]:
    """Every text below a name that says it is secret."""
    if isinstance(arguments, dict):
        for name, value in arguments.items():
            yield from secrets(value, secret=secret or bool(_SECRET_NAME.search(str(name))))
    elif isinstance(arguments, list | tuple):
        for value in arguments:
            yield from secrets(value, secret=secret)
    elif secret and isinstance(arguments, str) and len(arguments) >= _SHORTEST:
        yield arguments


def redact(value: Any, hidden: list[str]) -> Any:
    """A copy of JSON-like data in which no text contains one of ``hidden``."""
    if isinstance(value, str):
        for text in hidden:
            value = value.replace(text, MASK)
        return value
    if isinstance(value, dict):
        return {name: redact(item, hidden) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [redact(item, hidden) for item in value]
    return value
