# SPDX-License-Identifier: Apache-2.0
"""Arguments and results as people may see them: secrets are masked, wherever they turn up."""

import json
import re
from collections.abc import Iterable, Mapping
from typing import Any

MASK = "••••••"
_SECRET = re.compile(r"passw|secret|token|credential|private|(^|_)keys?$|^auth", re.IGNORECASE)
_SHORTEST = 3
"""Characters of a secret that is looked for in other texts: a shorter one would mask every other word."""


class Mask:
    """Knows the secrets of one operation: whatever its arguments hold under a name that says so."""

    def __init__(self, arguments: Any) -> None:
        known = {text for text in _secrets(arguments, False) if len(text) >= _SHORTEST}
        found = {form for text in known for form in _forms(text)}
        # The longest first, or the end of one that begins with another would be left.
        words = "|".join(re.escape(text) for text in sorted(found, key=len, reverse=True))
        self._known = re.compile(words) if words else None

    def __call__(self, value: Any, name: str = "") -> Any:
        """``value`` without secrets; all of it is one when ``name`` says so."""
        if value is None or isinstance(value, bool):
            return value
        if secret(name):
            return MASK
        if isinstance(value, str):
            return self._known.sub(MASK, value) if self._known else value
        if isinstance(value, Mapping):
            return {self(str(key)): self(item, str(key)) for key, item in value.items()}
        if isinstance(value, list | tuple):
            return [self(item) for item in value]
        return value if isinstance(value, int | float) else self(str(value))


def secret(name: str) -> bool:
    """Whether what is called so is not to be shown."""
    return _SECRET.search(name) is not None


def _forms(text: str) -> Iterable[str]:
    """As it is, and as Python and JSON quote it: so do traces and what servers answer."""
    return text, repr(text)[1:-1], json.dumps(text)[1:-1]


def _secrets(value: Any, hidden: bool) -> Iterable[str]:
    if isinstance(value, Mapping):
        for key, item in value.items():
            yield from _secrets(item, hidden or secret(str(key)))
    elif isinstance(value, list | tuple):
        for item in value:
            yield from _secrets(item, hidden)
    elif hidden and value is not None and not isinstance(value, bool):
        yield str(value)
