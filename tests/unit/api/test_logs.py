# SPDX-License-Identifier: Apache-2.0
"""/instances/{id}/log: what is asked of the guest, in which order, and who may."""

from typing import Any

import pytest

from dbflow.messaging.errors import GuestRefused
from tests.unit.api.world import World

GENERAL = {"name": "general", "type": "USER", "status": "Ready", "published": 0, "pending": 12}
ERROR = {"name": "error", "type": "SYS", "status": "Partial", "published": 3, "pending": 4}


@pytest.fixture
def asked(world: World, monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, dict[str, Any]]]:
    """What the guest was asked for."""
    calls: list[tuple[str, dict[str, Any]]] = []

    def call(instance_id: str, task: str, arguments: dict[str, Any], timeout: float) -> Any:
        calls.append((task.removeprefix("guest.tasks.logs."), arguments))
        if task.endswith(".DiscardLog"):
            return GENERAL | {"before": "log-000002"}
        return [GENERAL, ERROR] if task.endswith(".ListLogs") else GENERAL

    monkeypatch.setattr(world.guests, "call", call)
    return calls


def log(world: World, instance_id: str, token: str = "owner", **wanted: Any) -> Any:
    path = f"instances/{instance_id}/log"
    if token == "admin":
        path = f"/v1.0/padmin/{path}"
    return world.ask("POST", path, token, json=wanted)


@pytest.mark.usefixtures("asked")
def test_list(world: World) -> None:
    instance_id = world.active()
    place = {"container": "None", "prefix": "None", "metafile": f"{instance_id}/mariadb-general_metafile"}
    assert world.ask("GET", f"instances/{instance_id}/log").json == {"logs": [GENERAL | place]}
    shown = world.ask("GET", f"/v1.0/padmin/instances/{instance_id}/log", "admin").json["logs"]
    assert [one["name"] for one in shown] == ["general", "error"]
    assert (shown[1]["container"], shown[1]["prefix"]) == ("database_logs", f"{instance_id}/mariadb-error/")


@pytest.mark.parametrize(
    ("wanted", "tasks"),
    [
        ({}, []),
        ({"enable": 1}, ["EnableLog"]),
        ({"enable": 0, "disable": True}, ["DisableLog"]),
        ({"publish": 1}, ["EnableLog", "PublishLog"]),
        ({"discard": 1}, ["DiscardLog"]),
        ({"publish": 1, "disable": 1, "discard": 1}, ["DiscardLog", "EnableLog", "PublishLog", "DisableLog"]),
    ],
)
def test_actions(
    world: World, asked: list[tuple[str, dict[str, Any]]], wanted: dict[str, Any], tasks: list[str]
) -> None:
    instance_id = world.active()
    answer = log(world, instance_id, name="general", **wanted)
    assert (answer.status_code, answer.json["log"]["name"]) == (200, "general")
    assert [task for task, _ in asked] == ["ListLogs", *tasks]
    for task, arguments in asked:
        if task == "PublishLog":
            assert f"/database_logs/{instance_id}/" in arguments["store"]["url"]
            assert set(arguments["store"]["secrets"]) == {"PUT"}
            assert arguments["directory"] == "mariadb-general"


def test_what_is_published_while_a_log_is_discarded_stays(
    world: World, asked: list[tuple[str, dict[str, Any]]]
) -> None:
    instance_id = world.active()
    below = f"{instance_id}/mariadb-general"
    world.objects.make_container("database_logs")
    for name in ("log-000001-000000000000000", "log-000001-000000000000007", "log-000002-000000000000000"):
        path = world.objects._directory.file("database_logs", f"{below}/{name}")  # type: ignore[attr-defined]
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x\n")
    shown = log(world, instance_id, name="general", discard=1).json["log"]
    assert ("before" in shown, asked[-1][0]) == (False, "DiscardLog")
    left = [name for name, _ in world.objects.sizes("database_logs", f"{below}/")]
    assert left == [f"{below}/log-000002-000000000000000"]


@pytest.mark.parametrize("said", [None, [None], [{"name": "general"}], [GENERAL | {"published": "much"}], {"a": 1}])
def test_a_guest_that_makes_things_up(world: World, monkeypatch: pytest.MonkeyPatch, said: object) -> None:
    """It is its owner's own: no error of ours."""
    instance_id = world.active()
    monkeypatch.setattr(world.guests, "call", lambda *_args: said)
    assert world.ask("GET", f"instances/{instance_id}/log").status_code == 400
    later = said[0] if isinstance(said, list) else said
    monkeypatch.setattr(
        world.guests, "call", lambda _id, task, *_args: [GENERAL] if task.endswith("ListLogs") else later
    )
    for verb in ("enable", "disable", "publish", "discard"):
        assert log(world, instance_id, name="general", **{verb: 1}).status_code == 400


@pytest.mark.parametrize(
    ("token", "wanted", "code"),
    [
        ("owner", {"name": "general", "enable": 1, "disable": 1}, 400),
        ("owner", {"name": "general", "enable": 2}, 400),
        ("owner", {"name": 5}, 400),
        ("owner", {"enable": 1}, 400),
        ("owner", {"name": "audit"}, 404),
        ("owner", {"name": "error"}, 403),
        ("owner", {"name": "error", "publish": 1}, 403),
        ("admin", {"name": "error", "enable": 1}, 400),
        ("admin", {"name": "error", "disable": 1}, 400),
        ("admin", {"name": "error", "publish": 1}, 200),
        ("reader", {"name": "general"}, 200),
        ("reader", {"name": "general", "enable": 1}, 403),
        ("other", {"name": "general"}, 404),
    ],
)
def test_refusals(
    world: World, asked: list[tuple[str, dict[str, Any]]], token: str, wanted: dict[str, Any], code: int
) -> None:
    assert log(world, world.active(), token, **wanted).status_code == code
    if code >= 400:
        assert {task for task, _ in asked} <= {"ListLogs"}


def test_only_a_publish_is_waited_for_long(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    waits: dict[str, float] = {}

    def call(instance_id: str, task: str, arguments: dict[str, Any], timeout: float) -> Any:
        waits[task.rpartition(".")[2]] = timeout
        return [GENERAL] if task.endswith(".ListLogs") else GENERAL

    monkeypatch.setattr(world.guests, "call", call)
    assert log(world, world.active(), name="general", publish=1).status_code == 200
    assert waits == {"ListLogs": 15.0, "EnableLog": 15.0, "PublishLog": 180.0}


def test_a_store_that_a_guest_finds_down_is_tried_later(world: World) -> None:
    instance_id = world.active()
    world.guests.error = GuestRefused("The object store does not work: 507.", ("StoreUnavailable", "DatastoreError"))
    answer = log(world, instance_id, name="general", publish=1)
    assert (answer.status_code, answer.headers["Retry-After"], "507" in answer.text) == (503, "5", True)


@pytest.mark.parametrize("name", ["../x", "", "general/..", "a" * 65])
def test_logs_that_a_guest_makes_up_are_not_there(world: World, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setattr(world.guests, "call", lambda *_: [GENERAL | {"name": name}])
    instance_id = world.active()
    assert world.ask("GET", f"instances/{instance_id}/log").json == {"logs": []}
    assert log(world, instance_id, name=name or "x", discard=1).status_code in (400, 404)


def test_a_guest_does_not_say_what_is_thrown_away(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    def call(instance_id: str, task: str, arguments: dict[str, Any], timeout: float) -> Any:
        return [GENERAL] if task.endswith(".ListLogs") else GENERAL | {"before": "~"}

    monkeypatch.setattr(world.guests, "call", call)
    assert log(world, world.active(), name="general", discard=1).status_code == 400


def test_a_server_that_is_not_up_is_not_asked(world: World, asked: list[tuple[str, dict[str, Any]]]) -> None:
    instance_id = world.created()
    assert world.ask("GET", f"instances/{instance_id}/log").status_code == 422
    assert log(world, instance_id, name="general").status_code == 422
    assert asked == []
