# SPDX-License-Identifier: Apache-2.0
"""What a viewer sees. Viewers with the same sight see the same page, so it is made once for all of them."""

import dataclasses
import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote, urlencode

from flask import request

from dbflow.api.here import allowed, caller
from dbflow.console.session import PATH
from dbflow.services.context import Caller

_ASKED = (
    "operation:index",
    "operation:show",
    "operation:update",
    "operation:release",
    "operation:all_projects",
    "instance:index",
    "instance:show",
    "backup:index",
    "backup:delete",
    "mgmt:jobs",
    "mgmt:conductors",
    "mgmt:conductor_update",
    "mgmt:guests",
)

_SAFE = re.compile(r"/[\w\-.~%/]*(\?[\w\-.~%&=+:;,*@]*)?")


@dataclasses.dataclass(frozen=True)
class Sight:
    """The rights that decide what is on a page; nothing of who has them."""

    root: str
    """What the server puts before all our paths."""
    project: str
    admin: bool
    may: frozenset[str]
    """Rules of the policy."""

    @classmethod
    def of_request(cls) -> "Sight":
        """Of whoever asks."""
        who = caller()
        may = frozenset(rule for rule in _ASKED if allowed(rule))
        admin = who.is_admin and "operation:all_projects" in may
        # To administrators it makes no difference which project their token is of.
        return cls(request.script_root, "" if admin else who.project_id, admin, may)

    def caller(self) -> Caller:
        """For services that only read."""
        return Caller("", self.project, frozenset(), "", self.admin)

    def at(self, *parts: str, **query: Any) -> str:
        """The path of a page of ours: ``at("operations", id, tab="events")``; empty values are left out."""
        return path(self.root, *parts, query=query)


def path(root: str, *parts: str, query: Mapping[str, Any] | None = None) -> str:
    """A path below /console/, quoted."""
    asked = {name: value for name, value in (query or {}).items() if value not in (None, "")}
    where = "/".join(quote(part, safe="") for part in parts)
    return f"{root}{PATH}/{where}" + (f"?{urlencode(asked)}" if asked else "")


def safe_path(asked: str) -> str:
    """A path of the console to go to, as a form says; the start page when that is anything else."""
    good = _SAFE.fullmatch(asked) and "//" not in asked and "/." not in asked
    return f"{request.script_root}{PATH}{asked if good else '/'}"
