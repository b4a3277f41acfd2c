# SPDX-License-Identifier: Apache-2.0
"""Modules on real servers: applied, refused, removed, at create, and given again."""

import base64
import contextlib
from collections.abc import Iterator
from typing import Any

from tests.functional.stack import Client, Stack, mysql, new_password, query
from tests.functional.stack.client import operation_of

SCRIPT = """
-- Made again without harm.
CREATE DATABASE IF NOT EXISTS site;
CREATE TABLE IF NOT EXISTS site.runs (n INT PRIMARY KEY AUTO_INCREMENT, what VARCHAR(20));
INSERT INTO site.runs (what) VALUES ('%(what)s;');
CREATE OR REPLACE PROCEDURE site.count_runs() BEGIN SELECT count(*) FROM site.runs; END;
-- undo
DROP DATABASE IF EXISTS site;
-- nothing follows
"""


class Modules:
    """Those of a test, deleted at its end."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._made: list[str] = []

    def make(self, kind: str, contents: str, name: str = "", **options: Any) -> str:
        body = {"name": name or f"m{len(self._made)}", "module_type": kind, "contents": encoded(contents), **options}
        module_id: str = self._client.ask("POST", "/modules", {"module": body})["module"]["id"]
        self._made.append(module_id)
        return module_id

    def show(self, module_id: str) -> dict[str, Any]:
        found: dict[str, Any] = self._client.ask("GET", f"/modules/{module_id}")["module"]
        return found

    def delete(self) -> None:
        for module_id in self._made:
            self._client.ask("DELETE", f"/modules/{module_id}")


class Database:
    """An instance with root let in."""

    def __init__(self, client: Client, name: str, **more: Any) -> None:
        self._client = client
        self.id, made = client.create(name, **more)
        client.wait_operation(made)
        self._password = new_password()
        client.ask("POST", f"/instances/{self.id}/root", {"password": self._password})

    def ask(self, statement: str) -> list[tuple[Any, ...]]:
        with contextlib.closing(mysql(self._client.show(self.id), "root", self._password)) as connection:
            return query(connection, statement)

    def apply(self, *module_ids: str, status: int = 200) -> Any:
        body = {"modules": [{"id": one} for one in module_ids]}
        return self._client.ask("POST", f"/instances/{self.id}/modules", body, status=status)

    def remove(self, module_id: str, status: int = 200) -> None:
        self._client.ask("DELETE", f"/instances/{self.id}/modules/{module_id}", status=status)

    def has(self, query: str = "") -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self._client.ask("GET", f"/instances/{self.id}/modules{query}")["modules"]
        return found


@contextlib.contextmanager
def scene(stack: Stack, **more: Any) -> Iterator[tuple[Modules, Database]]:
    client = stack.client()
    with stack.nothing_left():
        modules, database = Modules(client), Database(client, "with-modules", **more)
        yield modules, database
        client.deleted(database.id)
        modules.delete()


def encoded(contents: str) -> str:
    return base64.b64encode(contents.encode()).decode()


def test_applied_changed_and_removed(stack: Stack) -> None:
    with scene(stack) as (modules, database):
        ping, sql = modules.make("ping", "message=hello"), modules.make("sql", SCRIPT % {"what": "one"})
        first, second = database.apply(sql, ping)["modules"]
        assert (first["name"], first["status"], first["message"]) == ("m0", "OK", "hello")
        assert (second["name"], second["status"], second["message"]) == ("m1", "OK", "4 statements run")
        assert database.ask("SELECT what FROM site.runs") == [("one;",)]
        assert database.ask("CALL site.count_runs()") == [(1,)]
        assert [one["id"] for one in database.has()] == [ping, sql]
        (told,) = [one for one in database.has("?from_guest=True&include_contents=True") if one["id"] == sql]
        assert base64.b64decode(told["contents"]).decode() == SCRIPT % {"what": "one"}

        database.apply(sql)
        assert database.ask("SELECT count(*) FROM site.runs") == [(2,)], "it is run again"
        database.remove(sql)
        assert database.ask("SHOW DATABASES LIKE 'site'") == []
        assert [one["id"] for one in database.has("?from_guest=1")] == [ping]
        database.remove(sql, status=404)
        database.remove(ping)
        assert database.has() == []


def test_all_or_none(embedded_stack: Stack) -> None:
    with scene(embedded_stack) as (modules, database):
        password = new_password()
        good = modules.make("sql", SCRIPT % {"what": "one"}, apply_order=1)
        script = f"CREATE DATABASE other; CREATE USER u IDENTIFIED BY '{password}' NONSENSE;"
        bad = modules.make("sql", f"{script}\n-- undo\nDROP DATABASE IF EXISTS other")
        refused = database.apply(good, bad, status=422)
        message = next(iter(refused.values()))["message"]
        assert "Statement 2 failed" in message, message
        assert password not in message
        assert database.ask("SHOW DATABASES WHERE `Database` IN ('site', 'other')") == []
        assert (database.has(), database.has("?from_guest=1")) == ([], [])
        shown = embedded_stack.client().show(database.id)
        assert (shown["status"], "Statement 2 failed" in shown["fault"]["message"]) == ("ACTIVE", True)


def test_what_was_there_comes_back(embedded_stack: Stack) -> None:
    client = embedded_stack.client()
    with scene(embedded_stack) as (modules, database):
        sql = modules.make("sql", SCRIPT % {"what": "one"}, live_update=1)
        database.apply(sql)
        before = modules.show(sql)["md5"]
        broken = encoded("INSERT INTO site.runs (what) VALUES ('two'); NONSENSE")
        client.ask("PUT", f"/modules/{sql}", {"module": {"contents": broken}})
        database.apply(sql, status=422)
        assert database.ask("SELECT what FROM site.runs ORDER BY n") == [("one;",), ("two",), ("one;",)]
        (has,) = database.has()
        assert has["md5"] == before != modules.show(sql)["md5"]
        (told,) = database.has("?from_guest=1")
        assert (told["md5"], told["status"]) == (before, "OK")
        database.remove(sql)
        assert database.ask("SHOW DATABASES LIKE 'site'") == []


def test_at_create(embedded_stack: Stack) -> None:
    client, admin = embedded_stack.client(), embedded_stack.admin()
    everywhere = Modules(admin)
    with embedded_stack.nothing_left():
        own = Modules(client)
        sql = own.make("sql", SCRIPT % {"what": "made"}, apply_order=9)
        everywhere.make("ping", "message=hidden", "hidden", all_tenants=1, auto_apply=1, visible=0, priority_apply=1)
        database = Database(client, "made-with-modules", modules=[{"id": sql}])
        assert database.ask("SELECT what FROM site.runs") == [("made;",)]
        assert [one["name"] for one in database.has()] == ["m0"]
        assert [one["name"] for one in database.has("?from_guest=1")] == ["m0"]
        seen = admin.ask("GET", f"/instances/{database.id}/modules?from_guest=1")["modules"]
        assert [(one["name"], one["message"]) for one in seen] == [("hidden", "hidden"), ("m0", "4 statements run")]
        client.deleted(database.id)
        broken = own.make("sql", "NONSENSE", "broken")
        instance_id, operation = client.create("unmade", modules=[{"id": broken}])
        assert "install-module-2" in client.wait_operation(operation, "REVERTED")["error"]["message"]
        client.deleted(instance_id)
        own.delete()
    everywhere.delete()


def test_reapplied_in_batches(embedded_stack: Stack) -> None:
    client = embedded_stack.client()
    with scene(embedded_stack) as (modules, first):
        second = Database(client, "second")
        sql = modules.make("sql", SCRIPT % {"what": "one"}, live_update=1)
        for one in (first, second):
            one.apply(sql)
        client.ask("PUT", f"/modules/{sql}", {"module": {"contents": encoded(SCRIPT % {"what": "two"})}})
        (count,) = client.ask("GET", f"/modules/{sql}/instances?count_only=True")["instances"]
        assert (count["instance_count"], count["current"]) == (2, False)
        answer = client.raw("PUT", f"/modules/{sql}/instances", {"reapply": {"batch_size": 1}})
        assert answer.status_code == 202, answer.text
        client.wait_operation(operation_of(answer))
        for one in (first, second):
            assert one.ask("SELECT what FROM site.runs ORDER BY n") == [("one;",), ("two;",)]
        (count,) = client.ask("GET", f"/modules/{sql}/instances?count_only=True")["instances"]
        assert (count["instance_count"], count["current"]) == (2, True)
        ids = {one["id"] for one in client.ask("GET", f"/modules/{sql}/instances")["instances"]}
        assert ids == {first.id, second.id}
        client.ask("DELETE", f"/modules/{sql}")
        client.ask("GET", f"/modules/{sql}", status=404)
        first.remove(sql)
        assert first.ask("SHOW DATABASES LIKE 'site'") == []
        client.deleted(second.id)
        modules.delete = lambda: None  # type: ignore[method-assign] # it is gone already


def test_reapplied_where_it_can_be_and_where_it_still_is(embedded_stack: Stack) -> None:
    client = embedded_stack.client()
    with scene(embedded_stack) as (modules, first):
        others = [Database(client, "second"), Database(client, "third")]
        sql = modules.make("sql", SCRIPT % {"what": "one"}, live_update=1)
        for one in (first, *others):
            one.apply(sql)
        begun, stopped, removed = sorted((first, *others), key=lambda one: one.id)
        client.ask("PUT", f"/modules/{sql}", {"module": {"contents": encoded(SCRIPT % {"what": "two"})}})
        path = f"/mgmt/instances/{stopped.id}/action"
        client.wait_operation(operation_of(embedded_stack.admin().raw("POST", path, {"stop": {}})))
        with embedded_stack.faults.holding("guest.apply-module-1.execute.before") as held:
            answer = client.raw("PUT", f"/modules/{sql}/instances", {"reapply": {"batch_size": 1}})
            held.reached()
            removed.remove(sql)
        told = client.wait_operation(operation_of(answer), "REVERTED")["error"]["message"]
        assert (stopped.id in told, removed.id in told) == (True, False)
        assert begun.ask("SELECT what FROM site.runs ORDER BY n") == [("one;",), ("two;",)]
        assert removed.ask("SHOW DATABASES LIKE 'site'") == []
        assert client.show(stopped.id)["operating_status"] == "SHUTDOWN"
        for one in others:
            client.deleted(one.id)
