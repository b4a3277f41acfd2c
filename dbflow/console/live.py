# SPDX-License-Identifier: Apache-2.0
"""Open pages that follow what happens: each part of a page is made once for all who look at it, and sent to them as
a server-sent event when it has changed."""

import json
import time
from collections.abc import Collection, Iterator
from typing import Any

from flask import Flask, Response

from dbflow.console import render
from dbflow.console.page import Asked
from dbflow.services.context import Services
from dbflow.services.errors import OverLimit, ServiceError
from dbflow.services.fan import Fan, Parts, Seats, TooManyViewers, Viewing


class Fragments(Fan[Asked]):
    """Watches pages. Events: ("part", {"id", "html"} as JSON), and ("end", …) when there is nothing more to see."""

    name = "console-live"

    def __init__(self, app: Flask, services: Services, interval: float, seats: Seats) -> None:
        super().__init__(interval, seats)
        self._app, self._services = app, services
        self._made: dict[Asked, tuple[dict[str, Any], Parts]] = {}

    def look(self, keys: Collection[Asked]) -> dict[Asked, Parts]:
        """Only what has changed since the last look is drawn again."""
        found: dict[Asked, tuple[dict[str, Any], Parts]] = {}
        with self._app.app_context():
            for asked in keys:
                try:
                    context = asked.page.look(self._services, asked)
                except ServiceError:
                    continue  # it is gone
                known = self._made.get(asked)
                found[asked] = known if known and known[0] == context else (context, self._drawn(asked, context))
        self._made = found
        return {asked: parts for asked, (_, parts) in found.items()}

    def _drawn(self, asked: Asked, context: dict[str, Any]) -> Parts:
        made = render.parts(self._app, asked, context, live=True)
        return {name: ("part", json.dumps({"id": f"live-{name}", "html": html})) for name, html in made.items()}

    def stream(self, asked: Asked) -> Response:
        """The answer to a browser's EventSource. OverLimit when too many are open."""
        group = self._services.conf
        try:
            viewing = self.watch(asked, min(group.api.event_heartbeat, group.console.stream_lifetime))
        except TooManyViewers:
            raise OverLimit("Too many pages are open.", {"Retry-After": "5"}) from None
        headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
        body = _Stream(viewing, time.monotonic() + group.console.stream_lifetime)
        return Response(body, headers=headers, content_type="text/event-stream")


class _Stream:
    """A viewer's events as the body of a response; the server closes it when the browser is gone."""

    def __init__(self, viewing: Viewing, until: float) -> None:
        self._viewing, self._until = viewing, until

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        if time.monotonic() > self._until:
            raise StopIteration  # the browser connects again, and shows its cookie again
        event = next(self._viewing)
        if event is None:
            return b": still here\n\n"
        kind, data = event
        return f"event: {kind}\ndata: {data if isinstance(data, str) else json.dumps(data)}\n\n".encode()

    def close(self) -> None:
        """Stop watching."""
        self._viewing.close()
