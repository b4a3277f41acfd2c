# SPDX-License-Identifier: Apache-2.0
"""Instances of every project, as administrators see them."""

import jsonschema
import pytest

from dbflow.api.schemas import mgmt as schemas
from dbflow.db.models import Instance, RootHistory, utcnow
from dbflow.messaging.errors import GuestUnreachable
from guest.tasks.machine import Diagnostics, Hardware
from tests.unit.api.world import World

_PATHS = ("", "/{id}", "/{id}/root", "/{id}/diagnostics", "/{id}/hwinfo", "/{id}/rpc_ping")


@pytest.fixture
def three(world: World) -> list[str]:
    """Ids, the newest first: of another project, a deleted one, one with root."""
    with_root, gone, others = world.active(), world.created(name="db2"), world.created("other", name="db3")
    with world.database.write() as session:
        session.add(RootHistory(instance_id=with_root, user_id="u1"))
        row = session.get_one(Instance, gone)
        row.deleted, row.deleted_at = True, utcnow()
    return [others, gone, with_root]


@pytest.mark.parametrize("path", _PATHS)
def test_only_for_administrators(world: World, path: str) -> None:
    path = path.format(id=world.active())
    for token in ("owner", "reader", "other"):
        answer = world.ask("GET", f"mgmt/instances{path}", token)
        assert answer.status_code == 401
        assert answer.json == {"unauthorized": {"code": 401, "message": "User does not have admin privileges."}}


def test_list(world: World, three: list[str]) -> None:
    listed = world.ask("GET", "mgmt/instances", "admin").json
    jsonschema.validate(listed, schemas.INSTANCES)
    assert [one["id"] for one in listed["instances"]] == three
    assert [one["deleted"] for one in listed["instances"]] == [False, True, False]
    assert [one["tenant_id"] for one in listed["instances"]] == ["p2", "p1", "p1"]
    assert [bool(one["deleted_at"]) for one in listed["instances"]] == [False, True, False]


@pytest.mark.parametrize(
    ("query", "wanted"),
    [
        ("deleted=true", [1]),
        ("deleted=False", [0, 2]),
        ("project_id=p2", [0]),
        ("project_id=p1&deleted=0", [2]),
        ("project_id=nobody", []),
        ("include_clustered=true", [0, 1, 2]),
    ],
)
def test_filters(world: World, three: list[str], query: str, wanted: list[int]) -> None:
    listed = world.ask("GET", f"mgmt/instances?{query}", "admin").json["instances"]
    assert [one["id"] for one in listed] == [three[place] for place in wanted]


def test_pages(world: World, three: list[str]) -> None:
    path, seen = "mgmt/instances?limit=1", []
    while path:
        page = world.ask("GET", path, "admin").json
        seen += [one["id"] for one in page["instances"]]
        links = page.get("links")
        path = links[0]["href"].partition("/v1.0/padmin/")[2] if links else ""
    assert seen == three


@pytest.mark.parametrize("query", ["deleted=perhaps", "include_clustered=2", "marker=nothing", "limit=x"])
def test_queries_that_are_wrong(world: World, query: str) -> None:
    answer = world.ask("GET", f"mgmt/instances?{query}", "admin")
    assert answer.status_code == 400
    assert query.partition("=")[0] in answer.json["badRequest"]["message"]


def test_show(world: World, three: list[str]) -> None:
    others, gone, with_root = three
    shown = world.ask("GET", f"mgmt/instances/{with_root}", "admin").json
    jsonschema.validate(shown, schemas.INSTANCE)
    instance = shown["instance"]
    assert (instance["root_enabled_by"], instance["service_status"]) == ("u1", "HEALTHY")
    assert instance["root_enabled"]
    jsonschema.validate(world.ask("GET", f"mgmt/instances/{others}", "admin").json, schemas.INSTANCE)
    assert world.ask("GET", f"mgmt/instances/{gone}", "admin").json["instance"]["deleted"] is True
    assert world.ask("GET", f"mgmt/instances/{gone}?deleted=true", "admin").status_code == 200
    assert world.ask("GET", f"mgmt/instances/{gone}?deleted=false", "admin").status_code == 404
    assert world.ask("GET", f"mgmt/instances/{others}?deleted=true", "admin").status_code == 404
    assert world.ask("GET", "mgmt/instances/nothing", "admin").status_code == 404


def test_root_history(world: World, three: list[str]) -> None:
    others, _, with_root = three
    never = world.ask("GET", f"mgmt/instances/{others}/root", "admin").json
    assert never == {"root_history": {"id": others, "enabled": "Never", "user": "Nobody"}}
    history = world.ask("GET", f"mgmt/instances/{with_root}/root", "admin").json
    jsonschema.validate(history, schemas.ROOT_HISTORY)
    assert history["root_history"]["user"] == "u1"
    assert history["root_history"]["enabled"] != "Never"


def test_what_the_guest_says(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    instance = world.active()
    for name, task in {"Diagnostics": Diagnostics(), "Hardware": Hardware()}.items():
        monkeypatch.setattr(world.guests, name, lambda task=task: task.execute(instance), raising=False)
    monkeypatch.setattr(world.guests, "Ping", lambda: instance, raising=False)
    diagnostics = world.ask("GET", f"mgmt/instances/{instance}/diagnostics", "admin").json
    jsonschema.validate(diagnostics, schemas.DIAGNOSTICS)
    assert diagnostics["diagnostics"]["vmHwm"] >= diagnostics["diagnostics"]["vmRss"] > 1000
    hardware = world.ask("GET", f"mgmt/instances/{instance}/hwinfo", "admin").json
    jsonschema.validate(hardware, schemas.HARDWARE)
    assert hardware["hwinfo"]["mem_total"] > 100_000
    assert world.ask("GET", f"mgmt/instances/{instance}/rpc_ping", "admin").status_code == 204


@pytest.mark.parametrize("what", ["diagnostics", "hwinfo", "rpc_ping"])
def test_a_guest_that_is_silent(world: World, what: str) -> None:
    instance = world.active()
    world.guests.error = GuestUnreachable("silent")
    answer = world.ask("GET", f"mgmt/instances/{instance}/{what}", "admin")
    assert answer.status_code == 503
    assert answer.headers["Retry-After"] == "5"
    assert world.ask("GET", f"mgmt/instances/{'0' * 8}-0000-0000-0000-{'0' * 12}/{what}", "admin").status_code == 404
