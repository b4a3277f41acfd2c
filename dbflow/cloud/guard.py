# SPDX-License-Identifier: Apache-2.0
"""Whether a cloud is still to do what it was asked for.

A conductor checks its claim before it calls the cloud, but may be paused between the two and wake when others have
long finished the operation. What it then makes nobody looks for. A driver whose calls wait for a lock that every call
about the same instance takes asks once more when it has the lock, and so makes nothing late.
"""

import contextlib
import contextvars
from collections.abc import Callable, Iterator

_CHECK: contextvars.ContextVar[Callable[[], None] | None] = contextvars.ContextVar("dbflow_cloud_check", default=None)


@contextlib.contextmanager
def checking(check: Callable[[], None]) -> Iterator[None]:
    """What this thread asks of a cloud during the block is wanted as long as ``check`` raises nothing."""
    token = _CHECK.set(check)
    try:
        yield
    finally:
        _CHECK.reset(token)


def still_wanted() -> None:
    """For drivers: raises what the check raises; nothing where nobody checks."""
    check = _CHECK.get()
    if check is not None:
        check()
