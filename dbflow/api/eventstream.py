# SPDX-License-Identifier: Apache-2.0
"""Server-sent events."""

import json
import math
import time
from collections.abc import Iterator

from dbflow.services.fan import Viewing


class EventStream:
    """A viewer's events as the body of a response; the server closes it when the client is gone."""

    def __init__(self, viewing: Viewing, until: float = math.inf) -> None:
        """``until``: by time.monotonic(), when it ends in any case. Data that is text goes out as it is."""
        self._viewing, self._until = viewing, until

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        if time.monotonic() > self._until:
            raise StopIteration  # a browser connects again, and shows its cookie again
        event = next(self._viewing)
        if event is None:
            return b": still here\n\n"
        kind, data = event
        return f"event: {kind}\ndata: {data if isinstance(data, str) else json.dumps(data)}\n\n".encode()

    def close(self) -> None:
        """Stop watching."""
        self._viewing.close()
