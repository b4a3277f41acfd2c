# SPDX-License-Identifier: Apache-2.0
"""What the server's error log says about a failure."""

import os
import pathlib
import re

from guest.datastores.mariadb.plain import opened

_ERROR = re.compile(r"\[ERROR\] (?:(?:/\S*/)?mariadbd: )?(.+)")
_CONSEQUENCES = re.compile(r"Aborting|Plugin 'InnoDB' |Failed to initialize plugins|Unknown/unsupported storage engine")
_WARNING = re.compile(r"\[Warning\] (?:(?:/\S*/)?mariadbd: )?(.+)")
"""Some causes are told as warnings, before an error that only says "Aborting"."""
_MOST = 3


def reason(text: str) -> str | None:
    """The first errors without those that only follow from others (the warnings, when there are no other errors);
    None when the text has none."""
    errors = [match[1].strip() for match in _ERROR.finditer(text)]
    causes = [error for error in errors if not _CONSEQUENCES.match(error)]
    causes = causes or [match[1].strip() for match in _WARNING.finditer(text)] or errors
    return " ".join(error if error.endswith((".", "?")) else f"{error}." for error in causes[:_MOST]) or None


def since(path: pathlib.Path, offset: int) -> str:
    """What was written to the log after the first ``offset`` bytes."""
    with opened(path, os.O_RDONLY) as file:
        file.seek(offset)
        return file.read().decode(errors="replace")
