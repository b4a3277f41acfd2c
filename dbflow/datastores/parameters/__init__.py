# SPDX-License-Identifier: Apache-2.0
"""What configuration groups may set: the parameters of a datastore's versions, with types and bounds.

Each release has a file beside this module, made from a server of that release by ``tools/parameters.py``.
"""

import dataclasses
import functools
import json
import math
import pathlib
import re
from collections.abc import Sequence
from typing import Any

from dbflow.datastores.invalid import Invalid

Value = bool | int | float | str
_HERE = pathlib.Path(__file__).parent
_LONGEST = 1000
"""Characters of a value: an option file's line has 4096 bytes, and what is beyond counts as another line."""
_SWITCH = {"on": True, "off": False, "true": True, "false": False}
_FILE = re.compile(r"(?P<manager>.+)-(?P<major>\d+)\.(?P<minor>\d+)\.json")


@dataclasses.dataclass(frozen=True)
class Parameter:
    """One parameter of a version."""

    name: str
    type: str
    """integer, float, boolean or string"""
    restart_required: bool
    """A running server does not take a new value."""
    min: int | float | None = None
    max: int | float | None = None
    words: tuple[str, ...] = ()
    """What a string may be, in any case; any when empty."""
    several: bool = False
    """Whether it may be more than one of the words, with commas between."""

    def check(self, value: Any) -> Value:
        """The value as it is kept. Raises Invalid with the name as its field."""
        if self.type == "boolean":
            return self._switch(value)
        if self.type == "string":
            return self._text(value)
        return self._number(value)

    def _switch(self, value: Any) -> bool:
        if isinstance(value, str):
            value = _SWITCH.get(value.lower())
        if not (isinstance(value, bool) or (isinstance(value, int) and value in (0, 1))):
            raise self._wrong_type()
        return bool(value)

    def _number(self, value: Any) -> int | float:
        wanted = int if self.type == "integer" else int | float
        if isinstance(value, bool) or not isinstance(value, wanted):
            raise self._wrong_type()
        if isinstance(value, float) and not math.isfinite(value):
            raise self._wrong_type()
        if (self.min is not None and value < self.min) or (self.max is not None and value > self.max):
            what = f"must be between {self.min} and {self.max}"
            raise Invalid(self.name, f"The value of the configuration parameter {self.name} {what}.")
        return value

    def _text(self, value: Any) -> str:
        if not isinstance(value, str):
            raise self._wrong_type()
        # An option file knows no escape for the quote and ends a value at the line's end.
        if '"' in value or not value.isprintable():
            what = "must not hold a double quote or a control character"
            raise Invalid(self.name, f"The value of the configuration parameter {self.name} {what}.")
        if len(value) > _LONGEST:
            what = f"must not have more than {_LONGEST} characters"
            raise Invalid(self.name, f"The value of the configuration parameter {self.name} {what}.")
        if self.words:
            known = {word.casefold() for word in self.words}
            asked = [part for part in value.split(",") if part] if self.several else [value]
            if any(word.casefold() not in known for word in asked):
                what = f"must be {'some' if self.several else 'one'} of {', '.join(self.words)}"
                raise Invalid(self.name, f"The value of the configuration parameter {self.name} {what}.")
        return value

    def _wrong_type(self) -> Invalid:
        what = f"is not of type {self.type}"
        return Invalid(self.name, f"The value provided for the configuration parameter {self.name} {what}.")


@functools.cache
def of_version(manager: str, version: str) -> Sequence[Parameter]:
    """Of the newest release known that is not newer than ``version`` (such as 10.11.14); nothing when all are."""
    found = re.match(r"(\d+)\.(\d+)", version)
    if found is None:
        return ()
    wanted = (int(found[1]), int(found[2]))
    known = {release: name for release, name in _files(manager) if release <= wanted}
    return _read(known[max(known)]) if known else ()


def _files(manager: str) -> list[tuple[tuple[int, int], str]]:
    """(release, file name) of what there is."""
    matches = (_FILE.fullmatch(file.name) for file in _HERE.iterdir())
    return [((int(m["major"]), int(m["minor"])), m[0]) for m in matches if m is not None and m["manager"] == manager]


def _read(name: str) -> Sequence[Parameter]:
    data = json.loads((_HERE / name).read_text(encoding="utf-8"))
    return tuple(Parameter(**{**one, "words": tuple(one.get("words", ()))}) for one in data["parameters"])
