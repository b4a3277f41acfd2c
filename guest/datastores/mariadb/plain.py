# SPDX-License-Identifier: Apache-2.0
"""Files in a directory where the server's own user may put anything, opened by an agent that is root."""

import os
import pathlib
import stat
from typing import BinaryIO

from guest.datastores.base import DatastoreError


def opened(path: pathlib.Path, flags: int) -> BinaryIO:
    """The file itself, not what a link leads to, nor a pipe; ``flags`` as of os.open. FileNotFoundError,
    DatastoreError."""
    try:
        handle = os.open(path, flags | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, 0o640)
    except FileNotFoundError:
        raise
    except OSError as error:
        raise DatastoreError(f"The file {path.name} can't be opened: {error.strerror}.") from None
    if not stat.S_ISREG(os.fstat(handle).st_mode):
        os.close(handle)
        raise DatastoreError(f"{path.name} is no file.")
    return os.fdopen(handle, "wb" if flags & os.O_WRONLY else "rb")
