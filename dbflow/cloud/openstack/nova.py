# SPDX-License-Identifier: Apache-2.0
"""Nova's servers as it has them: finding, asking, and telling what became of what was asked."""

import contextlib
import enum
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from dbflow.cloud import base, guard
from dbflow.cloud.openstack.client import Json, Service
from dbflow.cloud.openstack.errors import of_reason
from dbflow.cloud.openstack.names import Names
from dbflow.cloud.openstack.waiting import Waiting

TASK = "OS-EXT-STS:task_state"
HOST = "OS-EXT-SRV-ATTR:host"
LAUNCHED = "OS-SRV-USG:launched_at"
"""When it first ran; None where it never did."""
_BATCH = 20
_DETAILS = "2.84"
"""The microversion in which actions say why they failed."""
_BUSY = frozenset({"BUILD", "REBUILD", "RESIZE", "MIGRATING", "REBOOT", "HARD_REBOOT", "REVERT_RESIZE", "PASSWORD"})
_FAILED = "Error"


class Turn(enum.Enum):
    """What became of something that a server was asked for."""

    NEVER = "it was not asked for"
    ENDED = "it was begun, and has ended"
    FAILED = "it was begun, and has failed"


class Nova:
    """The servers of one deployment."""

    def __init__(self, compute: Service, names: Names, waiting: Waiting, at_port: Callable[[str], str | None]) -> None:
        """``at_port``: id of the server that has an instance's port, or None."""
        self.compute, self._names, self._waiting, self._at_port = compute, names, waiting, at_port

    def find(self, instance_id: str) -> Json | None:
        """Of two (a create whose answer was lost) the older is the one, and the other goes."""
        found = self.every(instance_id)
        for extra in found[1:]:
            self.remove(instance_id, extra)
        return found[0] if found else None

    def existing(self, instance_id: str) -> Json:
        """NotFound."""
        server = self.find(instance_id)
        if server is None or server[TASK] == "deleting":
            raise base.NotFound(f"{named(instance_id)} cannot be found.")
        return server

    def settled(self, instance_id: str) -> Json:
        """When nothing goes on with it: NotYet. NotFound."""
        server = self.existing(instance_id)
        self.must_rest(instance_id, server)
        return server

    def must_rest(self, instance_id: str, server: Json) -> None:
        """NotYet while something goes on with it."""
        if server[TASK] is not None or server["status"] in _BUSY:
            doing = server[TASK] or server["status"]
            raise self._waiting.since(server["updated"], f"server of instance {instance_id}, which is {doing}")

    def every(self, instance_id: str) -> list[Json]:
        """Oldest first; one unless something went wrong.

        Nova's lists leave out, without a word, what is in a cell whose database does not answer: that there is no
        server is asked of itself, where Neutron knows of one.
        """
        found = self.several([instance_id])
        if found:
            return found
        server_id = self._at_port(instance_id)
        if server_id is None:
            return []
        server = self.by_id(instance_id, server_id)
        return [] if server is None else [server]

    def by_id(self, instance_id: str, server_id: str) -> Json | None:
        """None when it is gone, which no list of Nova's says."""
        try:
            server: Json = self.compute.get(named(instance_id), f"/servers/{server_id}")["server"]
        except base.NotFound:
            return None
        return None if server["status"] == "DELETED" else server

    def several(self, instance_ids: Iterable[str]) -> list[Json]:
        """Those of these instances, oldest first."""
        wanted = sorted(instance_ids)
        found: list[Json] = []
        for start in range(0, len(wanted), _BATCH):
            names = [re.escape(self._names.of(one)) for one in wanted[start : start + _BATCH]]
            found += self._list(name=f"^({'|'.join(names)})$")
        return [server for server in found if self._names.instance(server["name"]) in wanted]

    def all(self) -> list[str]:
        """Ids of the instances that have a server."""
        found = (self._names.instance(server["name"]) for server in self._list(name=f"^{self._names.prefix}"))
        return [instance_id for instance_id in found if instance_id]

    def view(self, server: Json) -> base.Server:
        """For those who ask a cloud."""
        return base.Server(
            id=server["id"],
            name=server["name"],
            status=server["status"],
            flavor_id=str(server["flavor"]["id"]),
            image=server["image"]["id"] if server["image"] else None,
            host=server.get(HOST) or None,
        )

    def act(self, instance_id: str, server: Json, action: str, body: Any = None, version: str | None = None) -> None:
        """Ask it for an action of Nova's."""
        guard.still_wanted()
        path = f"/servers/{server['id']}/action"
        self.compute.post(named(instance_id), path, {action: body}, version=version)

    def remove(self, instance_id: str, server: Json) -> None:
        """Ask for its end; fine when it is gone.

        Where Nova is told to reclaim servers later (``reclaim_instance_interval``), one that is just deleted keeps its
        volume until then, and is in no list.
        """
        with contextlib.suppress(base.NotFound):
            self.compute.post(named(instance_id), f"/servers/{server['id']}/action", {"forceDelete": None})

    def running(self, instance_id: str) -> base.Server:
        """Started where it is stopped; ACTIVE or VERIFY_RESIZE. NotYet, CloudError."""
        return self.started(instance_id, self.settled(instance_id))

    def started(self, instance_id: str, server: Json) -> base.Server:
        """Of one with which nothing goes on."""
        if server["status"] == "SHUTOFF":
            self.act(instance_id, server, "os-start")
            raise self._waiting.soon(f"server of instance {instance_id} to start")
        self.must_be(instance_id, server, "ACTIVE", "VERIFY_RESIZE")
        return self.view(server)

    def must_be(self, instance_id: str, server: Json, *states: str) -> None:
        """CloudError, with its reason, when it is in none of them: Nova would refuse with a conflict, as it does what
        passes. What it says of one that is in ERROR is of something that was asked for before."""
        if server["status"] not in states:
            raise base.CloudError(str(self.failure(instance_id, server)))

    def soon(self, instance_id: str, what: str) -> Exception:
        """To raise when it has just been asked for something."""
        return self._waiting.soon(f"server of instance {instance_id} to {what}")

    # -- what was asked for once

    def turn(self, instance_id: str, server: Json, action: str, mark: str) -> Turn:
        """What became of ``action``, asked for with ``mark``, of a server with which nothing goes on.

        Nova lists the actions that it has begun, so one that was marked and is not in the list never came."""
        noted = server["metadata"].get(_key(action), "").rpartition("#")
        if noted[0] != mark:
            return Turn.NEVER
        actions = self._actions(instance_id, server, action)
        if len(actions) <= int(noted[2]):
            return Turn.NEVER
        return Turn.FAILED if actions[0]["message"] == _FAILED else Turn.ENDED

    def marked(self, server: Json, action: str) -> str:
        """With what an action was asked for last; empty when it never was."""
        return str(server["metadata"].get(_key(action), "").rpartition("#")[0])

    def mark(self, instance_id: str, server: Json, action: str, mark: str) -> None:
        """Note in its metadata that it is about to be asked for. Nova takes no metadata of a server in ERROR."""
        guard.still_wanted()
        self._note(instance_id, server, self.marks(instance_id, server, action, mark))

    def marks(self, instance_id: str, server: Json, action: str, mark: str) -> dict[str, str]:
        """The metadata that notes it."""
        number = len(self._actions(instance_id, server, action))
        return {_key(action): f"{mark}#{number}"}

    def unmark(self, instance_id: str, action: str) -> None:
        """So that it can be asked for once more."""
        server = self.existing(instance_id)
        if self.marked(server, action):
            self._note(instance_id, server, {_key(action): ""})

    def _note(self, instance_id: str, server: Json, metadata: Mapping[str, str]) -> None:
        self.compute.post(named(instance_id), f"/servers/{server['id']}/metadata", {"metadata": metadata})

    def refusal(self, instance_id: str, server: Json, action: str) -> base.CloudError:
        """Why the last ``action`` failed, told once: whoever asks again has it tried again."""
        self.unmark(instance_id, action)
        path = f"/servers/{server['id']}/os-instance-actions/{self.last(instance_id, server, action)}"
        found = self.compute.get(named(instance_id), path, version=_DETAILS)["instanceAction"]
        reasons = [event["details"] for event in found.get("events") or () if event.get("details")]
        if not reasons:
            # It tells them administrators only.
            return base.Transient(f"{named(instance_id)}: Nova could not {action} it")
        return of_reason(named(instance_id), reasons[0])

    def last(self, instance_id: str, server: Json, action: str) -> str:
        """Id of the request by which it was last asked for ``action``."""
        return str(self._actions(instance_id, server, action)[0]["request_id"])

    def failure(self, instance_id: str, server: Json) -> base.CloudError:
        """Why a server is not as it should be."""
        reason = self.fault(instance_id, server)
        return of_reason(named(instance_id), reason or f"it is in state {server['status']}")

    def fault(self, instance_id: str, server: Json) -> str | None:
        """What Nova says, where it does. A list does not tell it of those that were never on a host. NotFound."""
        shown = self.compute.get(named(instance_id), f"/servers/{server['id']}")["server"]
        message: str | None = (shown.get("fault") or {}).get("message")
        return message or None

    def _actions(self, instance_id: str, server: Json, action: str) -> list[Json]:
        """Newest first."""
        path = f"/servers/{server['id']}/os-instance-actions"
        found = self.compute.get(named(instance_id), path)["instanceActions"]
        return [one for one in found if one["action"] == action]

    def _list(self, **query: str) -> list[Json]:
        found = self.compute.list("Servers", "/servers/detail", "servers", query)
        ours = [server for server in found if server["status"] != "DELETED"]
        return sorted(ours, key=lambda server: (server["created"], server["id"]))


def named(instance_id: str) -> str:
    """In errors."""
    return f"Server of instance {instance_id}"


def _key(action: str) -> str:
    """Of the metadata: {mark}#{how many of these actions there were before}."""
    return f"dbflow_{action}"
