# SPDX-License-Identifier: Apache-2.0
"""What a page is: who may see it, what it looks at, and which parts of it are live."""

import dataclasses
import datetime
from collections.abc import Callable
from typing import Any

from dbflow.console.sight import Sight
from dbflow.services.context import Services
from dbflow.services.errors import BadRequest

_LONGEST = 255


@dataclasses.dataclass(frozen=True)
class Page:
    """One page. Its template is ``<name>.html``; those of its parts are ``<name>_<part>.html``."""

    name: str
    url: str
    """Below /console, as Flask has it."""
    rule: str | None
    """Of the policy; None for whoever is signed in."""
    title: str
    look: Callable[[Services, "Asked"], dict[str, Any]]
    """What the templates need: plain values that can be compared, so that what has not changed is not drawn again."""
    parts: tuple[str, ...]
    section: str = ""
    """The entry of the navigation that it belongs to, if that is another page."""
    args: frozenset[str] = frozenset()
    """The arguments that it knows; others are taken for none, and make no page of their own."""
    over: Callable[[dict[str, Any]], bool] = lambda _: False
    """Whether what was found will not change any more."""


@dataclasses.dataclass(frozen=True)
class Asked:
    """A page as somebody asked for it."""

    page: Page
    values: tuple[tuple[str, str], ...]
    """Of the path."""
    args: tuple[tuple[str, str], ...]
    """Of the query, without empty ones."""
    sight: Sight

    def value(self, name: str) -> str:
        """Of the path."""
        return dict(self.values)[name]

    def arg(self, name: str, default: str = "") -> str:
        """Of the query. BadRequest when it is too long to be meant."""
        text = dict(self.args).get(name, default)
        if len(text) > _LONGEST or "\0" in text:
            raise BadRequest(f"{name}: is too long.")
        return text

    def time(self, name: str) -> datetime.datetime | None:
        """An ISO 8601 time of the query, UTC unless it says otherwise."""
        text = self.arg(name)
        if not text:
            return None
        try:
            found = datetime.datetime.fromisoformat(text)
            return found.astimezone(datetime.UTC).replace(tzinfo=None) if found.tzinfo else found
        except (ValueError, OverflowError):
            raise BadRequest(f"{name}: must be a time such as 2026-01-31T12:00.") from None

    def here(self, **changes: Any) -> str:
        """This page with other arguments; None or "" leaves one out. A filter that changes begins at the first page."""
        args = {**dict(self.args), **({} if "marker" in changes else {"marker": ""}), **changes}
        path = self.page.url.strip("/")
        parts = [self.value(part[1:-1]) if part.startswith("<") else part for part in path.split("/") if part]
        return self.sight.at(*parts, **args)
