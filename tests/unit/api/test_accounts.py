# SPDX-License-Identifier: Apache-2.0
"""Databases, users, grants and root, through guests that answer at once."""

import datetime

import pytest

from dbflow.db.models import Health, RootHistory, utcnow
from dbflow.messaging.errors import BrokerUnavailable, GuestRefused, GuestUnreachable
from dbflow.status import Task
from tests.unit.api.world import World


@pytest.fixture
def home(world: World) -> str:
    """Path of a healthy instance."""
    return f"instances/{world.active()}"


def test_databases(world: World, home: str) -> None:
    two = {"databases": [{"name": "shop", "character_set": "utf8mb4"}, {"name": "blog"}]}
    answer = world.ask("POST", f"{home}/databases", json=two)
    assert (answer.status_code, answer.data) == (202, b"")
    assert world.guests.databases["shop"]["character_set"] == "utf8mb4"
    assert world.ask("GET", f"{home}/databases").json == {"databases": [{"name": "blog"}, {"name": "shop"}]}
    assert world.ask("GET", f"{home}/databases/shop").status_code == 501
    assert world.ask("DELETE", f"{home}/databases/shop").status_code == 202
    assert world.ask("GET", f"{home}/databases").json == {"databases": [{"name": "blog"}]}


def test_databases_as_openstacksdk_sends_them(world: World, home: str) -> None:
    assert world.ask("POST", f"{home}/databases", json={"database": {"name": "shop"}}).status_code == 202
    assert list(world.guests.databases) == ["shop"]


def test_databases_come_in_pages(world: World, home: str) -> None:
    world.guests.AddDatabases([{"name": f"d{number}"} for number in range(5)])
    first = world.ask("GET", f"{home}/databases?limit=3").json
    assert [database["name"] for database in first["databases"]] == ["d0", "d1", "d2"]
    assert "marker=d2" in first["links"][0]["href"]
    second = world.ask("GET", f"{home}/databases?limit=3&marker=d2").json
    assert second == {"databases": [{"name": "d3"}, {"name": "d4"}]}


@pytest.mark.parametrize(
    ("databases", "word"),
    [
        ([{"name": "mysql"}], "reserved"),
        ([{"name": "Information_Schema"}], "reserved"),
        ([{"name": "d" * 65}], "64"),
        ([{"name": "d"}, {"name": "d"}], "twice"),
        ([{"name": "d", "character_set": "klingon"}], "character_set"),
        ([{"name": "d", "collate": "latin1_bin", "character_set": "utf8mb4"}], "collate"),
        ([{}], "'name' is a required property"),
        ([], "databases"),
        ("d", "databases"),
    ],
)
def test_bad_databases_never_reach_the_guest(world: World, home: str, databases: object, word: str) -> None:
    answer = world.ask("POST", f"{home}/databases", json={"databases": databases})
    assert answer.status_code == 400
    assert word in answer.json["badRequest"]["message"]
    assert world.guests.databases == {}


def test_what_the_guest_finds_wrong(world: World, home: str) -> None:
    world.guests.AddDatabases([{"name": "shop"}])
    answer = world.ask("POST", f"{home}/databases", json={"databases": [{"name": "shop"}]})
    message = 'A database with the name "shop" already exists.'
    assert (answer.status_code, answer.json) == (400, {"badRequest": {"code": 400, "message": message}})
    for name in ("none", "mysql"):
        answer = world.ask("DELETE", f"{home}/databases/{name}")
        assert answer.status_code == 404
        assert answer.json["itemNotFound"]["message"] == f"Database {name} cannot be found on the instance."


def test_users(world: World, home: str) -> None:
    world.guests.AddDatabases([{"name": "shop"}])
    users = [
        {"name": "app", "password": "x", "databases": [{"name": "shop"}]},
        {"name": "b.c", "password": "y", "host": "10.%"},
    ]
    assert world.ask("POST", f"{home}/users", json={"users": users}).status_code == 202
    app = {"name": "app", "host": "%", "databases": [{"name": "shop"}]}
    assert world.ask("GET", f"{home}/users").json == {"users": [app, {"name": "b.c", "host": "10.%", "databases": []}]}
    assert world.ask("GET", f"{home}/users/app").json == {"user": app}
    assert world.ask("GET", f"{home}/users/b%2ec@10%2e%25").json["user"]["host"] == "10.%"
    again = world.ask("POST", f"{home}/users", json={"users": users[:1]})
    assert "already exists" in again.json["badRequest"]["message"]
    changed = {"users": [{"name": "app", "password": "new"}]}
    assert world.ask("PUT", f"{home}/users", json=changed).status_code == 202
    assert world.guests.users["app", "%"]["password"] == "new"
    assert world.ask("PUT", f"{home}/users/app", json={"user": {"name": "web", "host": "10.0.0.1"}}).status_code == 202
    assert world.ask("DELETE", f"{home}/users/web@10%2e0%2e0%2e1").status_code == 202
    assert set(world.guests.users) == {("b.c", "10.%")}


def test_users_as_openstacksdk_sends_them(world: World, home: str) -> None:
    one = {"users": {"name": "app", "password": "x"}}
    assert world.ask("POST", f"{home}/users/app", json=one).status_code == 202
    assert ("app", "%") in world.guests.users


def test_access(world: World, home: str) -> None:
    world.guests.AddDatabases([{"name": "shop"}, {"name": "a/b"}])
    world.guests.AddUsers([{"name": "app", "host": "10.0.0.0/255.0.0.0", "password": "x", "databases": []}])
    user = f"{home}/users/app@10%2e0%2e0%2e0/255%2e0%2e0%2e0"
    assert world.ask("PUT", f"{user}/databases", json={"databases": [{"name": "shop"}]}).status_code == 202
    assert world.ask("PUT", f"{user}/databases", json={"databases": [{"name": "a/b"}]}).status_code == 202
    assert world.ask("GET", f"{user}/databases").json == {"databases": [{"name": "a/b"}, {"name": "shop"}]}
    assert world.ask("DELETE", f"{user}/databases/a%2fb").status_code == 202
    assert world.ask("GET", f"{user}/databases").json == {"databases": [{"name": "shop"}]}
    assert world.ask("DELETE", f"{user}/databases/none").status_code == 404
    missing = world.ask("PUT", f"{user}/databases", json={"databases": [{"name": "none"}]})
    assert (missing.status_code, "none" in missing.text) == (404, True)


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("GET", "", None),
        ("PUT", "", {"user": {"password": "x"}}),
        ("DELETE", "", None),
        ("GET", "/databases", None),
        ("PUT", "/databases", {"databases": [{"name": "d"}]}),
        ("DELETE", "/databases/d", None),
    ],
)
@pytest.mark.parametrize("name", ["nobody", "root"])
def test_users_that_are_not_there(world: World, home: str, method: str, path: str, body: object, name: str) -> None:
    answer = world.ask(method, f"{home}/users/{name}{path}", json=body)
    assert answer.status_code == 404
    message = answer.json["itemNotFound"]["message"]
    assert message.startswith((f"User {name}@% ", "no such user"))


@pytest.mark.parametrize(
    ("user", "word"),
    [
        ({"name": "app"}, "'password' is a required property"),
        ({"name": "root", "password": "x"}, "reserved"),
        ({"name": "app", "password": ""}, "password"),
        ({"name": "app", "password": 5}, "password"),
        ({"name": "app", "password": "x", "host": "not a host"}, "host"),
        ({"name": "u" * 129, "password": "x"}, "128"),
        ({"password": "x"}, "'name' is a required property"),
    ],
)
def test_bad_users_never_reach_the_guest(world: World, home: str, user: object, word: str) -> None:
    answer = world.ask("POST", f"{home}/users", json={"users": [user]})
    assert answer.status_code == 400
    assert word in answer.json["badRequest"]["message"]
    assert world.guests.users == {}


@pytest.mark.parametrize("odd", [{"host": 5}, {"host": ["%"]}, {"databases": 5}, {"databases": ["shop"]}])
@pytest.mark.parametrize(("method", "path"), [("POST", "users"), ("PUT", "users"), ("POST", "users/app")])
def test_odd_types_in_users(world: World, home: str, method: str, path: str, odd: dict[str, object]) -> None:
    user = {"name": "app", "password": "x", **odd}
    answer = world.ask(method, f"{home}/{path}", json={"users": user if path == "users/app" else [user]})
    assert answer.status_code == 400


def test_nothing_to_update(world: World, home: str) -> None:
    world.guests.AddUsers([{"name": "app", "host": "%", "password": "x", "databases": []}])
    assert world.ask("PUT", f"{home}/users/app", json={"user": {}}).status_code == 400


def test_root(world: World, home: str) -> None:
    assert world.ask("GET", f"{home}/root").json == {"rootEnabled": False}
    never = world.ask("DELETE", f"{home}/root")
    assert never.json == {"itemNotFound": {"code": 404, "message": "Root user has never been enabled on the instance."}}
    for kwargs in ({"data": b""}, {"json": {}}, {"data": b"", "content_type": "application/json"}):
        user = world.ask("POST", f"{home}/root", **kwargs).json["user"]
        assert set(user) == {"name", "password"}
        assert user["name"] == "root"
        assert world.guests.root == user["password"]
        assert len(user["password"]) >= 16
    given = world.ask("POST", f"{home}/root", json={"password": "mine"})
    assert (given.status_code, given.json["user"]["password"]) == (200, "mine")
    assert world.ask("GET", f"{home}/root").json == {"rootEnabled": True}
    gone = world.ask("DELETE", f"{home}/root")
    assert (gone.status_code, gone.data) == (204, b"")
    assert world.ask("GET", f"{home}/root").json == {"rootEnabled": False}
    with world.database.read() as session:
        assert session.get_one(RootHistory, home.rpartition("/")[2]).user_id == "u1"


def test_root_can_be_disabled_when_the_answer_to_enabling_it_was_lost(world: World, home: str) -> None:
    world.guests.error = GuestUnreachable("silent")
    assert world.ask("POST", f"{home}/root").status_code == 503
    world.guests.error = None
    assert world.ask("DELETE", f"{home}/root").status_code == 204


@pytest.mark.parametrize("path", ["databases", "users", "users/app", "users/app/databases", "root"])
def test_a_server_that_is_not_up_is_not_asked(world: World, path: str) -> None:
    building = world.created()
    assert world.ask("GET", f"instances/{building}/{path}").status_code == 422
    crashed = world.active()
    with world.database.write() as session:
        session.get_one(Health, crashed).service_status = "CRASHED"
    assert world.ask("GET", f"instances/{crashed}/{path}").status_code == 422
    assert world.guests.calls == []


@pytest.mark.parametrize("path", ["databases", "users", "users/app", "users/app/databases", "root"])
def test_a_guest_not_heard_of_lately_is_not_asked(world: World, path: str) -> None:
    silent = world.active()
    with world.database.write() as session:
        session.get_one(Health, silent).seen = utcnow() - datetime.timedelta(seconds=91)
    answer = world.ask("GET", f"instances/{silent}/{path}")
    assert (answer.status_code, "was last heard" in answer.text) == (503, True)
    assert answer.headers["Retry-After"]
    assert world.guests.calls == []


def test_a_guest_that_does_not_answer(world: World, home: str) -> None:
    world.guests.error = GuestUnreachable("guest x did not answer within 15 s")
    answer = world.ask("GET", f"{home}/databases")
    assert (answer.status_code, "did not answer" in answer.text) == (503, True)
    assert answer.headers["Retry-After"]


@pytest.mark.parametrize("said", [None, 5, [None], [{}], [{"name": "n"}], [{"name": "n", "host": "%", "databases": 7}]])
def test_a_guest_that_makes_things_up(world: World, home: str, monkeypatch: pytest.MonkeyPatch, said: object) -> None:
    """It is its owner's own: no error of ours."""
    monkeypatch.setattr(world.guests, "call", lambda *_args: said)
    for path in ("users", "users/app", "users/app/databases", "modules?from_guest=1"):
        answer = world.ask("GET", f"{home}/{path}")
        fits = path.startswith("modules") and isinstance(said, list) and said != [None]
        assert answer.status_code == (200 if fits else 400), answer.text
    fits = isinstance(said, list) and "name" in (said[0] or ())
    assert world.ask("GET", f"{home}/databases").status_code == (200 if fits else 400)


def test_a_broker_that_is_away(world: World, home: str) -> None:
    world.guests.error = BrokerUnavailable("the broker does not answer")
    answer = world.ask("POST", f"{home}/databases", json={"databases": [{"name": "d"}]})
    assert (answer.status_code, "broker" in answer.text) == (503, True)
    assert answer.headers["Retry-After"]


def test_an_error_inside_the_guest_tells_nothing_of_it(world: World, home: str) -> None:
    world.guests.error = GuestRefused("/secret/path", ("OSError", "Exception"))
    answer = world.ask("GET", f"{home}/databases")
    assert (answer.status_code, "secret" in answer.text) == (400, False)


def test_another_projects_instance_is_not_there(world: World, home: str) -> None:
    for path in ("databases", "users", "root"):
        assert world.ask("GET", f"{home}/{path}", "other").status_code == 404
    assert world.ask("GET", f"{home}/databases", "admin").status_code == 200
    assert world.instance(home.rpartition("/")[2]).task == Task.NONE
