# SPDX-License-Identifier: Apache-2.0
"""An iterator that works ahead, in a thread of its own."""

import contextlib
import queue
import threading
from collections.abc import Iterator
from typing import TypeVar

Thing = TypeVar("Thing")


class _End:
    """After the last thing; holds what the iterator raised, if it did."""

    def __init__(self, error: BaseException | None = None) -> None:
        self.error = error


@contextlib.contextmanager
def ahead(things: Iterator[Thing], most: int) -> Iterator[Iterator[Thing]]:
    """The same things; up to ``most`` of them, with the one that is being made, wait to be taken. Raises what the
    iterator raised, where it did. After the block whoever still takes gets no more, and the thread ends with what it
    is at."""
    waiting: queue.SimpleQueue[Thing | _End] = queue.SimpleQueue()
    room, left = threading.Semaphore(most), threading.Event()

    def work() -> None:
        end = _End()
        try:
            # Room first: what is made without it is one more in memory.
            while room.acquire() and not left.is_set():
                waiting.put(next(things))
        except StopIteration:
            pass
        except BaseException as error:
            end = _End(error)
        waiting.put(end)

    def take() -> Iterator[Thing]:
        while not isinstance(found := waiting.get(), _End):
            room.release()
            yield found
        if found.error is not None:
            raise found.error

    threading.Thread(target=work, name="ahead", daemon=True).start()
    try:
        yield take()
    finally:
        left.set()
        room.release()
        waiting.put(_End())
