# SPDX-License-Identifier: Apache-2.0
"""``ping``: shows that modules get to guests, and changes nothing there."""

import re

from dbflow.datastores.invalid import Invalid
from dbflow.modules import base

_MESSAGE = re.compile(r"^[ \t]*message[ \t]*=[ \t]*(\S.*?)[ \t\r]*$", re.MULTILINE)
_LONGEST = 1000


def message(contents: bytes) -> str:
    """What the guest is to answer: of a line ``message=TEXT``. Raises Invalid."""
    found = _MESSAGE.search(contents.decode(errors="replace"))
    if found is None:
        raise Invalid("contents", "a line message=TEXT is needed.")
    return found.group(1)[:_LONGEST]


class Ping(base.ModuleType):
    """See above."""

    def check(self, contents: bytes) -> None:
        """See the base class."""
        message(contents)
