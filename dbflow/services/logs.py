# SPDX-License-Identifier: Apache-2.0
"""Logs of instances: what the guest is asked for while the client waits, and what is in the object store."""

import re
from typing import Any

from dbflow.datastores import Feature
from dbflow.objectstore.base import WRITE, StoreError
from dbflow.services.accounts import Guest, shaped
from dbflow.services.context import Caller, Services
from dbflow.services.errors import BadRequest, Forbidden, NotFound, Unavailable

USER = "USER"
_NONE = "None"
"""Where nothing is published, in Trove's words, which its client looks for and does not find."""
_NAME, _BEFORE = re.compile(r"[a-z_]{1,64}"), re.compile(r"log-\d{6,}")
Shown = dict[str, Any]


class _Logs(Guest):
    """The guest of an instance, asked for its logs."""

    tasks = "guest.tasks.logs"

    def __init__(self, services: Services, caller: Caller, instance_id: str) -> None:
        super().__init__(services, caller, instance_id, Feature.LOGS)
        self._admin, self._conf = caller.is_admin, services.conf.logs
        self.objects = services.objects.of(self.project_id)

    def every(self) -> list[Shown]:
        """Those that the caller may see."""
        return [log for log in self._there() if self._admin or log["type"] == USER]

    def one(self, name: str) -> Shown:
        """NotFound when there is none of that name, Forbidden when it is for administrators."""
        for log in self._there():
            if log["name"] == name:
                if self._admin or log["type"] == USER:
                    return dict(log)
                raise Forbidden(f"Log {name} is for administrators.")
        raise NotFound(f"The log {name[:255]} is not defined for {self.datastore.name}.")

    def _there(self) -> list[Shown]:
        """Whatever a guest makes up: names of logs become names of objects."""
        there = shaped(lambda said: [_log(log) for log in said], self.ask("ListLogs"))
        return [log for log in there if _NAME.fullmatch(log["name"])]

    def ask_log(self, task: str, **arguments: Any) -> Shown:
        """Have something done to a log, and how it is then."""
        return shaped(_log, self.ask(task, **arguments))

    @property
    def container(self) -> str:
        """Of what is published."""
        return str(self._conf.container)

    def directory(self, name: str) -> str:
        """Of a log's objects, below the instance's."""
        return f"{self.datastore.name}-{name}"

    def shown(self, log: Shown) -> Shown:
        """With the place of what was published."""
        below = f"{self.instance_id}/{self.directory(log['name'])}"
        place = {"container": self.container, "prefix": f"{below}/"} if log["published"] else None
        return {**log, **(place or {"container": _NONE, "prefix": _NONE}), "metafile": f"{below}_metafile"}


def _log(said: Any) -> Shown:
    """Of the right shape."""
    texts = {name: str(said[name]) for name in ("name", "type", "status")}
    return texts | {name: int(said[name]) for name in ("published", "pending")}


def every(services: Services, caller: Caller, instance_id: str) -> list[Shown]:
    """[{"name", "type", "status", "published", "pending", "container", "prefix", "metafile"}, …]"""
    logs = _Logs(services, caller, instance_id)
    return [logs.shown(log) for log in logs.every()]


def act(services: Services, caller: Caller, instance_id: str, name: str, wanted: frozenset[str]) -> Shown:
    """Do what is ``wanted`` (enable, disable, discard, publish) of a log, in an order that makes sense, and show it."""
    if {"enable", "disable"} <= wanted:
        raise BadRequest("A log can't be enabled and disabled at once.")
    logs = _Logs(services, caller, instance_id)
    log = logs.one(name)
    if log["type"] != USER and wanted & {"enable", "disable"}:
        raise BadRequest(f"The log {name} is always on: it can't be enabled or disabled.")
    if "discard" in wanted:
        log = _discard(logs, name)
    if log["type"] == USER and wanted & {"enable", "publish"}:
        log = logs.ask_log("EnableLog", name=name)
    if "publish" in wanted:
        log = _publish(services, logs, name)
    if "disable" in wanted:
        log = logs.ask_log("DisableLog", name=name)
    return logs.shown(log)


def _publish(services: Services, logs: _Logs, name: str) -> Shown:
    """The guest writes to the instance's place and to no other."""
    options = services.conf.logs
    try:
        logs.objects.make_container(options.container)
        grant = logs.objects.grant(options.container, f"{logs.instance_id}/", (WRITE,))
    except StoreError as error:
        raise Unavailable(str(error), {"Retry-After": "5"}) from None
    headers = {"X-Delete-After": str(options.expiry)} if options.expiry else {}
    return logs.ask_log(
        "PublishLog",
        timeout=float(options.publish_timeout),
        name=name,
        store=grant.for_guest(),
        directory=logs.directory(name),
        headers=headers,
    )


def _discard(logs: _Logs, name: str) -> Shown:
    """The guest first, which says up to where objects are not needed: what somebody else publishes meanwhile stays."""
    log, before = shaped(lambda said: (_log(said), str(said["before"])), logs.ask("DiscardLog", name=name))
    container, below = logs.container, f"{logs.instance_id}/{logs.directory(name)}"
    if not _BEFORE.fullmatch(before):
        raise BadRequest("The guest of the instance failed to do this.")
    end = f"{below}/{before}"
    try:
        for found, _ in list(logs.objects.sizes(container, f"{below}/")):
            if found < end:
                logs.objects.delete(container, found)
        logs.objects.delete(container, f"{below}_metafile")
    except StoreError as error:
        raise Unavailable(str(error), {"Retry-After": "5"}) from None
    return log
