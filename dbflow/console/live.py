# SPDX-License-Identifier: Apache-2.0
"""Open pages that follow what happens: each part of a page is made once for all who look at it, and sent to them as
a server-sent event when it has changed."""

import json
import logging
import time
from collections.abc import Collection
from typing import Any

from flask import Flask, Response

from dbflow.api.eventstream import EventStream
from dbflow.console import render
from dbflow.console.page import Asked
from dbflow.services.context import Services
from dbflow.services.errors import OverLimit, ServiceError
from dbflow.services.fan import END, Fan, Parts, Seats, TooManyViewers

LOG = logging.getLogger(__name__)

_Made = tuple[dict[str, Any], Parts]
"""What was looked at, and what was drawn of it."""
_NOTHING: _Made = ({}, {})


class Fragments(Fan[Asked]):
    """Watches pages. Events: ("part", {"id", "html"} as JSON), and ("end", {"over": whether the page is whole and stays
    as it is}) when there is nothing more to see."""

    name = "console-live"
    last_ones = False

    def __init__(self, app: Flask, services: Services, interval: float, seats: Seats) -> None:
        super().__init__(interval, seats)
        self._app, self._services = app, services
        self._made: dict[Asked, _Made] = {}
        self._broken: set[Asked] = set()

    def look(self, keys: Collection[Asked]) -> dict[Asked, Parts]:
        """A page that can't be made stays as it was; the others go on."""
        found: dict[Asked, _Made] = {}
        broken: set[Asked] = set()
        with self._app.app_context():
            for asked in keys:
                known = self._made.get(asked, _NOTHING)
                try:
                    found[asked] = self._new(asked, known)
                except ServiceError:
                    continue  # it is gone
                except Exception:
                    found[asked] = known
                    broken.add(asked)
                    if asked not in self._broken:
                        LOG.exception("%s: the page %s can't be made", self.name, asked.page.name)
        self._made, self._broken = found, broken
        return {asked: parts for asked, (_, parts) in found.items()}

    def _new(self, asked: Asked, known: _Made) -> _Made:
        """Only what has changed since the last look is drawn again."""
        context = asked.page.look(self._services, asked)
        return known if known[0] == context else (context, self._drawn(asked, context))

    def _drawn(self, asked: Asked, context: dict[str, Any]) -> Parts:
        made = render.parts(self._app, asked, context, live=True)
        parts = {name: ("part", json.dumps({"id": f"live-{name}", "html": html})) for name, html in made.items()}
        return parts | ({END: (END, {"over": True})} if asked.page.over(context) else {})

    def stream(self, asked: Asked, user_id: str) -> Response:
        """The answer to a browser's EventSource. OverLimit when too many are open."""
        group = self._services.conf
        try:
            viewing = self.watch(asked, min(group.api.event_heartbeat, group.console.stream_lifetime), user_id)
        except TooManyViewers:
            raise OverLimit("Too many pages are open.", {"Retry-After": "5"}) from None
        headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
        body = EventStream(viewing, time.monotonic() + group.console.stream_lifetime)
        return Response(body, headers=headers, content_type="text/event-stream")
