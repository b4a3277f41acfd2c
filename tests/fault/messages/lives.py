# SPDX-License-Identifier: Apache-2.0
"""Whole lives of databases, with users and databases made and removed on the way."""

from typing import Any

from tests.fault.persistent import Persistent
from tests.functional.stack import mysql, new_password, query


class Life:
    """One database, and what must be true of it."""

    def __init__(self, persistent: Persistent, name: str) -> None:
        self._persistent, self._name = persistent, name
        self._password = new_password()
        self._path = ""

    def live(self) -> None:
        """From its create to its delete; AssertionError when an operation fails or something is not as it must be."""
        user = {"name": "u", "password": self._password, "databases": [{"name": "d0"}]}
        wanted = {"name": self._name, "flavorRef": "1", "volume": {"size": 1}, "databases": [{"name": "d0"}]}
        made = self._persistent.must("create", "POST", "/instances", {"instance": {**wanted, "users": [user]}})
        self._path = f"/instances/{made.json()['instance']['id']}"
        instance: dict[str, Any] = self._ask("GET", "").json()["instance"]
        with mysql(instance, "u", self._password, "d0") as connection:
            query(connection, "CREATE TABLE t (n INT)")
            query(connection, "INSERT INTO t VALUES (1)")
        for number in range(1, 4):
            self._change("POST", "/databases", {"databases": [{"name": f"d{number}"}]})
        self._change("POST", "/users", {"users": [{"name": "v", "password": new_password()}]})
        self._operate("restart", {"restart": {}})
        self._change("DELETE", "/databases/d2")
        self._change("DELETE", "/users/v")
        self._operate("resize", {"resize": {"flavorRef": "2"}})
        self._operate("resize", {"resize": {"volume": {"size": 2}}})
        assert self._names("databases") == ["d0", "d1", "d3"]
        assert self._names("users") == ["u"]
        with mysql(instance, "u", self._password, "d0") as connection:
            assert query(connection, "SELECT n FROM t") == [(1,)]
        self._persistent.must("delete", "DELETE", self._path)

    def _ask(self, method: str, below: str, body: Any = None) -> Any:
        return self._persistent.ask("call", method, f"{self._path}{below}", body)

    def _operate(self, kind: str, action: Any) -> None:
        self._persistent.must(kind, "POST", f"{self._path}/action", action)

    def _change(self, method: str, below: str, body: Any = None) -> None:
        """What the guest does while we wait. Asked once more after a lost answer, it may say that it was done."""
        asked = len(self._persistent.calls)
        answer = self._ask(method, below, body)
        again = len(self._persistent.calls) - asked > 1
        assert answer.status_code == 202 or (again and answer.status_code in (400, 404)), answer.text

    def _names(self, of: str) -> list[str]:
        return sorted(one["name"] for one in self._ask("GET", f"/{of}").json()[of])
