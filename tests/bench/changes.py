# SPDX-License-Identifier: Apache-2.0
"""What is done to a server, and to the replicas that it comes to have, while others use them."""

import contextlib
import time
from typing import Any

from dbflow.cloud.local.processes import Processes
from tests.bench.filling import fill
from tests.bench.standalone import ApiError, Client, Standalone
from tests.bench.traffic import LONG, PASSWORD, connect
from tests.waiting import wait_for

PATIENCE = 600.0
_FLAVORS = ("1", "2")


class Changes:
    """Each returns when it has ended well: the moment, by the clock of ``time.monotonic``, when it was asked for."""

    def __init__(self, standalone: Standalone, size: int) -> None:
        """The first server, with so many MiB of data."""
        self._standalone = standalone
        client = standalone.client()
        databases = [{"name": "d"}]
        user = {"name": "u", "password": PASSWORD, "databases": databases}
        wanted = {"name": "source", "flavorRef": _FLAVORS[0], "volume": {"size": 1}}
        wanted |= {"databases": databases, "users": [user]}
        self._source: str = _do(client, "POST", "/instances", {"instance": wanted})["instance"]["id"]
        self._replicas: list[str] = []
        self._addresses: dict[str, str] = {}
        self._met(client)
        with contextlib.closing(connect(self.hosts[0], LONG)) as connection, connection.cursor() as cursor:
            fill(cursor, size)

    @property
    def hosts(self) -> list[str]:
        """Addresses of all; the first is the one that is written to."""
        return [self._addresses[one] for one in (self._source, *self._replicas)]

    def restart(self) -> float:
        """The database server."""
        return self._act({"restart": {}})

    def resize_flavor(self) -> float:
        """To the larger one, or back."""
        client = self._standalone.client()
        now = _show(client, self._source)["flavor"]["id"]
        (other,) = {*_FLAVORS} - {now}
        return self._act({"resize": {"flavorRef": other}})

    def resize_volume(self) -> float:
        """By one GiB."""
        size = _show(self._standalone.client(), self._source)["volume"]["size"]
        return self._act({"resize": {"volume": {"size": size + 1}}})

    def backup(self) -> float:
        """Of everything."""
        asked = time.monotonic()
        _do(self._standalone.client(), "POST", "/backups", {"backup": {"name": "b", "instance": self._source}})
        return asked

    def replicate(self, count: int) -> float:
        """So many replicas."""
        asked, client = time.monotonic(), self._standalone.client()
        wanted = {"name": "replica", "replica_of": self._source, "replica_count": count}
        _do(client, "POST", "/instances", {"instance": wanted})
        self._replicas = [one["id"] for one in _show(client, self._source)["replicas"]]
        self._met(client)
        return asked

    def promote(self) -> float:
        """The first replica and the source change places."""
        new, *others = self._replicas
        asked = self._act({"promote_to_replica_source": {}}, new)
        self._source, self._replicas = new, [*others, self._source]
        return asked

    def eject(self) -> float:
        """The source is killed as by a power failure, and ejected as soon as that is allowed."""
        for found in Processes(str(self._standalone.state_dir / "cloud")).of(self._source):
            if found.name() == "mariadbd":
                found.process.kill()
            else:
                found.process.suspend()
        asked = wait_for(self._ejected, PATIENCE, "the source to be missed")
        client = self._standalone.client()
        (self._source,) = [one for one in self._replicas if "replica_of" not in _show(client, one)]
        self._replicas.remove(self._source)
        return asked

    def _ejected(self) -> float | None:
        with contextlib.suppress(ApiError):
            return self._act({"eject_replica_source": {}})
        return None

    def _act(self, action: dict[str, Any], instance_id: str = "") -> float:
        asked = time.monotonic()
        _do(self._standalone.client(), "POST", f"/instances/{instance_id or self._source}/action", action)
        return asked

    def _met(self, client: Client) -> None:
        for one in (self._source, *self._replicas):
            self._addresses[one] = _show(client, one)["ip"][0]


def _do(client: Client, method: str, path: str, body: Any) -> Any:
    """The answer, when the operation has ended well."""
    answer, headers = client.call(method, path, body)
    operation = headers["Link"].partition(">")[0].rpartition("/")[2]

    def ended() -> Any:
        found = client.call("GET", f"/operations/{operation}")[0]["operation"]
        return found if found["done"] else None

    found = wait_for(ended, PATIENCE, f"operation {operation}")
    if found["state"] != "SUCCESS":
        raise RuntimeError(f"{found['kind']}: {found['state']}: {found.get('error')}")
    return answer


def _show(client: Client, instance_id: str) -> dict[str, Any]:
    found: dict[str, Any] = client.call("GET", f"/instances/{instance_id}")[0]["instance"]
    return found
