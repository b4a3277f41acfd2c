# SPDX-License-Identifier: Apache-2.0
"""Operations on sets of replicas. Whatever failed, one member is written to, and the others have all of it; and at no
moment two can be written to."""

import contextlib
import functools
from collections.abc import Callable, Iterator, Mapping
from typing import Any, ClassVar

import pymysql
import requests
from pymysql.constants import ER

from tests.fault.sweep.points import SUCCESS
from tests.fault.sweep.scenarios import PARTS, ROWS, SETTLED, Scenario
from tests.functional.stack import mysql, query
from tests.functional.stack.death import age, die, revive
from tests.functional.stack.inventory import Inventory
from tests.sampler import TABLE, Connect, Members, Sampler
from tests.waiting import wait_for

REPLICA = "swept replica"
CLOSED = ("guest.open-writes.revert.after", "guest.open-writes.revert.reply")
"""Points after which a server that was opened is so no more."""


class Grouped(Scenario):
    """What the scenarios here have in common: a source and its replicas."""

    source_id = ""
    replica_ids: tuple[str, ...] = ()
    written = 0
    sampler: Sampler | None = None
    keeps: ClassVar[bool] = False
    """Whether whoever looks commits what it writes: not where a new source can only go back when it has nothing of its
    own."""
    link: ClassVar[Mapping[str, object]] = {"ssl_disabled": True}
    """For PyMySQL, of whoever looks."""

    def make_source(self) -> None:
        """With tables to write to."""
        self.make()
        self.source_id, self.instance_id = self.instance_id, ""
        with self.to(self.source_id) as connection:
            query(connection, "CREATE TABLE w (n INT PRIMARY KEY)")
            query(connection, TABLE)

    def make_replicas(self, count: int) -> None:
        """All at once, with the rows of the source."""
        self.post_replicas(count)
        self.replica_ids = tuple(one["id"] for one in self.client.show(self.source_id)["replicas"])
        for replica_id in self.replica_ids:
            self.client.wait_status(replica_id, "ACTIVE")
            self.client.wait_healthy(replica_id)

    def post_replicas(self, count: int) -> None:
        """Ask for them."""
        self.post("/instances", {"instance": {"name": REPLICA, "replica_of": self.source_id, "replica_count": count}})

    def to(self, instance_id: str) -> Any:
        """A connection, as the user."""
        return mysql(self.client.show(instance_id), "u", self.password, "d")

    @contextlib.contextmanager
    def watched(self) -> Iterator[list[str]]:
        """Never two that can be written to."""
        found: list[str] = []
        self.sampler = Sampler(self.members(), self.keeps)
        try:
            with self.sampler:
                yield found
        finally:
            found += self.sampler.violations

    def members(self) -> Callable[[], Members]:
        """What tells who is in the set, at any moment from now on."""
        addresses = self.stack.addresses()
        known = {one: self.door(addresses[one]) for one in (self.source_id, *self.replica_ids)}
        return lambda: known

    def door(self, address: str) -> Connect:
        """To a member, for whoever looks."""
        return functools.partial(mysql, {"ip": [address]}, "u", self.password, "d", read_timeout=1, **self.link)

    def one_is_written_to(self, source_id: str, replica_ids: tuple[str, ...]) -> list[str]:
        """Violations, of a set that is at rest."""
        self.written += 1
        for member in (source_id, *replica_ids):
            self.client.wait_status(member, "ACTIVE")
            self.client.wait_healthy(member)
        with self.to(source_id) as connection:
            query(connection, f"INSERT INTO w VALUES ({self.written})")
        found = [text for replica_id in replica_ids for text in self._follows(source_id, replica_id)]
        shown = self.client.show(source_id)
        told = {one["id"] for one in shown.get("replicas", ())}
        found += self._lost(source_id)
        return found + ([] if told == set(replica_ids) else [f"replicas {told} instead of {replica_ids}"])

    def _lost(self, source_id: str) -> list[str]:
        """What the sampler was told is committed, and is not."""
        written = set(self.sampler.acknowledged) if self.sampler is not None else set()
        if not written:
            return []
        with self.to(source_id) as connection:
            kept = query(connection, f"SELECT n FROM samples WHERE n >= {min(written)}")
        lost = written - {number for (number,) in kept}
        return [f"acknowledged and lost: {sorted(lost)}"] if lost else []

    def _follows(self, source_id: str, replica_id: str) -> list[str]:
        told = self.client.show(replica_id).get("replica_of", {}).get("id")
        found = [] if told == source_id else [f"replica_of {told} instead of {source_id}"]
        with self.to(replica_id) as connection:
            newest = f"SELECT COUNT(*) FROM w WHERE n = {self.written}"
            wait_for(lambda: query(connection, newest) == [(1,)], SETTLED, f"the newest row on {replica_id}")
            rows = query(connection, "SELECT count(*) FROM t")
            found += [] if rows == [(ROWS,)] else [f"rows: {rows}"]
            try:
                query(connection, "INSERT INTO w VALUES (-1)")
                found.append(f"{replica_id} is written to")
            except pymysql.OperationalError as error:
                if error.args[0] != ER.OPTION_PREVENTS_STATEMENT:
                    raise
        return found

    def at_rest(self) -> Inventory:
        """What there is, of the set and of the other scenarios of the stack. Guests may still be on their way back to a
        broker that was started again."""
        others = (one["id"] for one in self.client.ask("GET", "/instances")["instances"] if one["status"] == "ACTIVE")
        members = {self.source_id, *self.replica_ids, *others}
        wait_for(lambda: members <= set(self.stack.inventory()["queues"]), SETTLED, "the guests to be back")
        return self.stack.settled_inventory()

    def leave(self) -> None:
        for instance_id in (*self.replica_ids, self.source_id):
            if instance_id:
                self.client.wait_operation(self.client.delete(instance_id))


class Replicate(Grouped):
    """A replica that follows; or an ERROR with its reason and nothing else, and a source that is as before."""

    kind: ClassVar[str] = "instance.replicate"
    most_agents: ClassVar[int] = 1

    def prepare(self) -> None:
        if not self.source_id:
            self.make_source()
        self.instance_id = ""
        self.expected = self.stack.settled_inventory()

    def ask(self) -> None:
        self.post_replicas(1)

    def find(self) -> None:
        found = [one for one in self.client.ask("GET", "/instances")["instances"] if one["name"] == REPLICA]
        assert len(found) == 1, f"asked for one instance, there are {found}"
        self.instance_id = found[0]["id"]

    def members(self) -> Callable[[], Members]:
        """Whoever is made since is one of them."""
        known, before = super().members()(), self.stack.addresses()

        def now() -> Members:
            made = {one: self.door(at) for one, at in self.stack.addresses().items() if one not in before}
            return {**known, **made}

        return now

    def boots(self, ends: str) -> set[int]:
        return {1}

    def database_starts(self, ends: str) -> set[int]:
        return {1}

    def check(self, ends: str) -> list[str]:
        if ends == SUCCESS:
            violations = self.one_is_written_to(self.source_id, (self.instance_id,))
            violations += self.whole(PARTS)
        else:
            violations = self.one_is_written_to(self.source_id, ())
            shown = self.client.show(self.instance_id)
            if shown["status"] != "ERROR" or "fault" not in shown:
                violations.append(f"status {shown['status']}, fault {shown.get('fault')}")
            row: Inventory = {"instances": sorted([*self.expected["instances"], self.instance_id])}
            self.stack.wait_inventory(self.expected | row)
        self.away()
        return violations + self.one_is_written_to(self.source_id, ())


class Promote(Grouped):
    """Source and candidate have changed places, or nobody has."""

    kind: ClassVar[str] = "instance.promote"
    keeps: ClassVar[bool] = True

    def prepare(self) -> None:
        if not self.source_id:
            self.make_source()
            self.make_replicas(2)
        self.instance_id = self.replica_ids[0]
        self.expected = self.stack.settled_inventory()

    def ask(self) -> None:
        self.act({"promote_to_replica_source": {}})

    def check(self, ends: str) -> list[str]:
        if ends == SUCCESS:
            other, old = self.replica_ids[1], self.source_id
            self.source_id, self.replica_ids = self.instance_id, (other, old)
        return self.one_is_written_to(self.source_id, self.replica_ids)


class Detach(Grouped):
    """An instance like any other, and nobody waits for it; or a replica still."""

    kind: ClassVar[str] = "instance.detach"

    def prepare(self) -> None:
        if not self.source_id:
            self.make_source()
        if not self.replica_ids:
            self.make_replicas(1)
        (self.instance_id,) = self.replica_ids
        self.expected = self.stack.settled_inventory()

    def ask(self) -> None:
        try:
            answer = self.client.raw("PUT", f"/instances/{self.instance_id}", {"instance": {"replica_of": ""}})
        except requests.RequestException:
            return
        assert answer.status_code == 202, answer.text

    def members(self) -> Callable[[], Members]:
        """The replica is none of them from when it is about to be opened until that is undone."""
        known, leaving = super().members()(), self.instance_id
        rest = {one: door for one, door in known.items() if one != leaving}

        def now() -> Members:
            opening = [one for one in self.stack.faults.passed() if one.startswith("guest.open-writes.")]
            return rest if opening and opening[-1] not in CLOSED else known

        return now

    def check(self, ends: str) -> list[str]:
        if ends != SUCCESS:
            return self.one_is_written_to(self.source_id, self.replica_ids)
        violations = self.one_is_written_to(self.source_id, ())
        with self.to(self.instance_id) as connection:
            query(connection, "INSERT INTO w VALUES (-2)")
        self.stack.wait_inventory(self.expected)
        self.replica_ids = ()
        before = len(self.expected["instances"])
        self.away()
        self.expected = self.at_rest()
        return violations + ([] if len(self.expected["instances"]) == before - 1 else ["it was not deleted"])


class SettleReplicas(Grouped):
    """The last replica is deleted, whether its source could be told or not."""

    kind: ClassVar[str] = "instance.settle_replicas"

    def prepare(self) -> None:
        if self.source_id:
            self.client.wait_operation(self.client.delete(self.source_id))
        self.make_source()
        self.make_replicas(1)
        (self.instance_id,) = self.replica_ids

    def ask(self) -> None:
        try:
            answer = self.client.raw("DELETE", f"/instances/{self.instance_id}")
        except requests.RequestException:
            return
        assert answer.status_code == 202, answer.text

    def operation(self) -> dict[str, Any]:
        """Done when the delete is, too."""
        found = self.client.ask("GET", f"/operations?kind={self.kind}&target_id={self.source_id}")["operations"]
        assert found, "the operation was not recorded"
        newest: dict[str, Any] = found[0]
        (delete,) = self.client.ask("GET", f"/operations?kind=instance.delete&target_id={self.replica_ids[0]}")[
            "operations"
        ]
        return newest | {"done": newest["done"] and delete["done"]}

    def check(self, ends: str) -> list[str]:
        self.client.ask("GET", f"/instances/{self.instance_id}", status=404)
        self.replica_ids, self.instance_id = (), ""
        self.expected = self.at_rest()
        return self.one_is_written_to(self.source_id, ()) if ends == SUCCESS else []


class Eject(Grouped):
    """The dead source is fenced, and a replica takes its place with all that was acknowledged; or the source is started
    again, as the source."""

    kind: ClassVar[str] = "instance.eject"

    def prepare(self) -> None:
        if not self.source_id:
            self.make_source()
        if missing := 2 - len(self.replica_ids):
            self.make_replicas(missing)
        self.instance_id = self.source_id
        with self.to(self.source_id) as connection:
            self.written += 1
            query(connection, f"INSERT INTO w VALUES ({self.written})")
        self.expected = self.stack.settled_inventory()
        die(self.stack, self.source_id)
        age(self.stack, self.source_id)

    def ask(self) -> None:
        self.act({"eject_replica_source": {}})

    def boots(self, ends: str) -> set[int]:
        return {0} if ends == SUCCESS else {0, 1}

    def database_starts(self, ends: str) -> set[int]:
        return {0} if ends == SUCCESS else {0, 1}

    def check(self, ends: str) -> list[str]:
        old, written = self.source_id, self.written
        if ends != SUCCESS:
            revive(self.stack, old)
            return self.one_is_written_to(old, self.replica_ids)
        (new,) = [one for one in self.replica_ids if "replica_of" not in self.client.show(one)]
        shown = self.client.show(old)
        violations = [] if shown["status"] == "ERROR" and "ejected" in shown["fault"]["message"] else [f"old: {shown}"]
        if self.stack.agent(old) or self.stack.database_server(old):
            violations.append("the old source runs")
        self.source_id, self.replica_ids = new, tuple(one for one in self.replica_ids if one != new)
        with self.to(new) as connection:
            if query(connection, f"SELECT COUNT(*) FROM w WHERE n = {written}") != [(1,)]:
                violations.append("the last row that was acknowledged is lost")
        violations += self.one_is_written_to(new, self.replica_ids)
        self.instance_id = old
        self.away()
        self.expected = self.at_rest()
        return violations
