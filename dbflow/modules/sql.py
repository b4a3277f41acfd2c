# SPDX-License-Identifier: Apache-2.0
"""``sql``: statements that are run on the instance, and those that undo them."""

import re
from typing import NamedTuple

from dbflow.datastores.base import Feature
from dbflow.datastores.invalid import Invalid
from dbflow.modules import base

_UNDO = re.compile(r"^[ \t]*--[ \t]+undo[ \t\r]*$", re.MULTILINE | re.IGNORECASE)
"""The line between the two."""


class Script(NamedTuple):
    """The two parts, each of any number of statements."""

    do: str
    undo: str
    """Empty where there is nothing to undo."""


def script(contents: bytes) -> Script:
    """Of UTF-8. Raises Invalid."""
    try:
        text = contents.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise Invalid("contents", "SQL must be UTF-8.") from None
    if "\0" in text:
        raise Invalid("contents", "SQL must not have NUL characters.")
    do, *undo = _UNDO.split(text)
    if len(undo) > 1:
        raise Invalid("contents", "there may be one line '-- undo' only.")
    if not do.strip():
        raise Invalid("contents", "there are no statements before '-- undo'.")
    return Script(do, undo[0].strip() if undo else "")


class Sql(base.ModuleType):
    """See above."""

    needs = Feature.SCRIPTS
    writes = True
    administers = True

    def check(self, contents: bytes) -> None:
        """See the base class."""
        script(contents)
