# SPDX-License-Identifier: Apache-2.0
"""Whether a program holds up those who use the database: what it says in its log tells."""

import pathlib
from collections.abc import Sequence


class Hold:
    """Of one program."""

    def __init__(self, log: pathlib.Path, words: Sequence[str] | None) -> None:
        """``words``: of the line with which it begins, and of the one with which it ends; None: it never does."""
        self._log, self._words = log, words
        self._read, self._rest = 0, b""
        self._on = False

    def over(self) -> None:
        """The program has ended, whatever it said last."""
        self._words = None

    def on(self) -> bool:
        """By the last of these lines so far."""
        if self._words is None:
            return False
        begins, ends = (word.encode() for word in self._words)
        with self._log.open("rb") as log:
            log.seek(self._read)
            said = log.read()
        self._read += len(said)
        *lines, self._rest = (self._rest + said).split(b"\n")
        for line in lines:
            self._on = begins in line or (self._on and ends not in line)
        return self._on
