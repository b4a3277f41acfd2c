# SPDX-License-Identifier: Apache-2.0
"""The load during an outage: lives of databases, users of databases, clients of the API."""

import threading
import time
from collections.abc import Callable
from typing import Any

import pymysql

from tests.fault.persistent import Asked, Call, Persistent, call
from tests.functional.stack import Client, Stack, mysql, new_password, operation_of, query

LIVES = 3
"""Databases that are made, changed and deleted side by side: what two processor cores can do."""
CREATE_EVERY, MOST_CREATES = 3.0, 6
"""Seconds between two creates that nobody waits for while a part is away, and how many of them there may be."""
CALL_EVERY = 0.2
STEADY = ("list", "show", "operations", "guest call", "guest change")
"""Kinds of calls that are made all the time, and not only when an operation is wanted."""
LONGEST_SILENCE = 10.0
"""Seconds a database may need for one answer on a machine that has a lot else to do."""


class Beside:
    """Threads that do something again and again until told to stop; what one raises is a violation."""

    def __init__(self) -> None:
        self.stopping = threading.Event()
        self.violations: list[str] = []
        self._threads: list[threading.Thread] = []

    def again(self, name: str, work: Callable[[], None], pause: float = 0.0) -> None:
        """Begin a thread."""

        def loop() -> None:
            try:
                while not self.stopping.is_set():
                    work()
                    self.stopping.wait(pause)
            except Exception as error:
                self.violations.append(f"{name}: {error!r}")

        thread = threading.Thread(target=loop, daemon=True)
        self._threads.append(thread)
        thread.start()

    def stop(self) -> None:
        """Let everything come to its end."""
        self.stopping.set()
        for thread in self._threads:
            thread.join()


class Standing:
    """A database that stands there all the time; its user must never notice anything."""

    def __init__(self, client: Client, name: str) -> None:
        self.password = new_password()
        user = {"name": "u", "password": self.password, "databases": [{"name": "d"}]}
        made = client.created(name, databases=[{"name": "d"}], users=[user])
        self.instance: dict[str, Any] = client.wait_healthy(made["id"])
        self.id: str = made["id"]
        self.rows = 0
        self.slowest = 0.0
        self._lasting = self._connection()
        query(self._lasting, "CREATE TABLE t (n INT PRIMARY KEY)")

    def _connection(self) -> "pymysql.Connection[pymysql.cursors.Cursor]":
        return mysql(self.instance, "u", self.password, "d")

    def use(self) -> None:
        """One row by the connection that lasts, one question by a new one."""
        began = time.monotonic()
        query(self._lasting, f"INSERT INTO t VALUES ({self.rows})")
        self.rows += 1
        with self._connection() as connection:
            assert query(connection, "SELECT count(*) FROM t") == [(self.rows,)], "rows are missing"
        self.slowest = max(self.slowest, time.monotonic() - began)

    def close(self) -> list[str]:
        """What its user noticed."""
        self._lasting.close()
        late = self.slowest > LONGEST_SILENCE
        return [f"the data path was silent for {self.slowest:.1f} s"] if late else []


class Load:
    """All of it. ``calls`` and ``asked`` grow while it lasts."""

    def __init__(self, stack: Stack, standing: Standing) -> None:
        self.calls: list[Call] = []
        self.asked: list[Asked] = []
        self.guest_databases: set[str] = set()
        """Of the standing instance: every one whose making was answered well."""
        self.away = threading.Event()
        """Set while the part is away."""
        self._client, self._standing = stack.client(), standing
        self._beside = Beside()
        self._created: list[str] = []
        self._number = 0

    @property
    def ended(self) -> int:
        """Operations that have ended."""
        return len([one for one in self.asked if one.ended is not None])

    @property
    def violations(self) -> list[str]:
        """What a part of it did not bear; that part has ended."""
        return self._beside.violations

    def start(self) -> None:
        """Everything at once."""
        for number in range(LIVES):
            self._beside.again(f"life {number}", lambda n=number: self._live(n))  # type: ignore[misc]
        self._beside.again("the data path", self._standing.use, 0.05)
        path = f"/instances/{self._standing.id}"
        for kind, target in (
            ("list", "/instances"),
            ("show", path),
            ("operations", "/operations"),
            ("guest call", f"{path}/databases"),
        ):
            self._beside.again(kind, lambda k=kind, t=target: self._read(k, t), CALL_EVERY)  # type: ignore[misc]
        self._beside.again("guest change", self._add_database, 1.0)
        self._beside.again("create", self._create_while_away, 0.1)

    def stop(self) -> list[str]:
        """Let what goes on come to its end, and delete what was made beside the lives; what was violated."""
        self._beside.stop()
        persistent = self._persistent()
        for asked in [asked for asked in self.asked if asked.ended is None]:
            persistent.end(asked)
        self._look_at_creates(persistent)
        listed = self._databases()
        missing = self.guest_databases - listed
        lost = [f"databases that were answered for are missing: {sorted(missing)}"] if missing else []
        return self._beside.violations + lost + self._standing.close()

    def _databases(self) -> set[str]:
        path, found = f"/instances/{self._standing.id}/databases?limit=20", set()
        while path:
            answer = self._client.ask("GET", path)
            found |= {database["name"] for database in answer["databases"]}
            links = [link["href"] for link in answer.get("links", []) if link["rel"] == "next"]
            path = links[0].partition(self._client.project)[2] if links else ""
        return found

    def _persistent(self) -> Persistent:
        return Persistent(self._client, self.calls, self.asked)

    def _live(self, number: int) -> None:
        """One database from its beginning to its end."""
        persistent = self._persistent()
        wanted = {"instance": {"name": f"life-{number}", "flavorRef": "1", "volume": {"size": 1}}}
        made, answer = persistent.operate("create", "POST", "/instances", wanted)
        path = f"/instances/{answer.json()['instance']['id']}"
        if made.state == "SUCCESS":
            persistent.operate("restart", "POST", f"{path}/action", {"restart": {}})
            persistent.operate("resize", "POST", f"{path}/action", {"resize": {"flavorRef": "2"}})
        persistent.operate("delete", "DELETE", path)

    def _read(self, kind: str, path: str) -> None:
        self.calls.append(call(self._client, kind, "GET", path)[0])

    def _add_database(self) -> None:
        self._number += 1
        name = f"made{self._number:04}"
        body = {"databases": [{"name": name}]}
        path = f"/instances/{self._standing.id}/databases"
        one, _ = call(self._client, "guest change", "POST", path, body)
        self.calls.append(one)
        if one.good:
            self.guest_databases.add(name)

    def _create_while_away(self) -> None:
        """Accepted or refused; a refusal may yet have been heard, as a client without a key can't know."""
        if not self.away.is_set() or len(self._created) >= MOST_CREATES:
            return
        name = f"away-{len(self._created)}"
        self._created.append(name)
        body = {"instance": {"name": name, "flavorRef": "1", "volume": {"size": 1}}}
        one, answer = call(self._client, "create", "POST", "/instances", body)
        self.calls.append(one)
        if one.good:
            self.asked.append(Asked(operation_of(answer), "create", one.ended))
        self._beside.stopping.wait(CREATE_EVERY)

    def _look_at_creates(self, persistent: Persistent) -> None:
        """Every one there is is deleted; no name may be there twice."""
        there = self._client.ask("GET", "/instances?limit=20")["instances"]
        names = [one["name"] for one in there]
        self._beside.violations += [f"{name} is there twice" for name in set(names) if names.count(name) > 1]
        for one in there:
            if one["id"] != self._standing.id:
                persistent.operate("delete", "DELETE", f"/instances/{one['id']}")
