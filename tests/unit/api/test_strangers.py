# SPDX-License-Identifier: Apache-2.0
"""Whoever is of another project gets, of every route, what one gets for things that there are not."""

import uuid
from collections.abc import Iterator
from typing import Any

import pytest
from werkzeug.test import TestResponse

from tests.unit.api.estate import OWNED, SHARED, Estate, Point, Request, rows
from tests.unit.api.world import World

pytestmark = pytest.mark.usefixtures("impatient")

NOWHERE = {name: str(uuid.UUID(int=number)) for number, name in enumerate(sorted(OWNED), 1)}
"""Ids of nothing."""
QUERIES = ("marker", "instance_id", "project_id", "target_id", "datastore", "all_projects=0&instance_id")


@pytest.fixture
def estate(world: World) -> Estate:
    return Estate(world)


def ask(world: World, request: Request, token: str = "other") -> TestResponse:
    """An answer whose body was read, unless it never ends."""
    answer = world.ask(request.method, request.path, token, json=request.body, buffered=False)
    if answer.mimetype == "text/event-stream":
        answer.close()
    return answer


def told(answer: TestResponse, ids: dict[str, str]) -> tuple[int, str]:
    """Status and body, whichever of the ids were asked for."""
    text = answer.text
    for name in sorted(OWNED):
        text = text.replace(ids[name], name)
    return answer.status_code, text


def for_administrators(request: Request) -> bool:
    """What the policy lets nobody else do, not even in the own project."""
    return "/mgmt/" in request.rule or request.path.endswith("/release") or request.body == {"reset_status": {}}


def pairs(estate: Estate) -> Iterator[tuple[Request, Request]]:
    """Requests for what the project has, and the same ones for what nobody has."""
    nothing = estate.requests(**NOWHERE)
    for own, other in zip(estate.requests(), nothing, strict=True):
        if own.arguments & OWNED:
            yield own, other


def test_a_stranger_finds_nothing(world: World, estate: Estate) -> None:
    point, before, asked = Point(world), rows(world), 0
    # A new argument must be said to be a project's, or not.
    assert {name for request in estate.requests() for name in request.arguments} == OWNED | SHARED
    world.guests.calls.clear()
    for request, nothing in pairs(estate):
        answer = ask(world, request)
        wanted = {401, 403} if for_administrators(request) else {404}
        assert answer.status_code in wanted, (request, answer.text)
        assert told(answer, estate.ids) == told(ask(world, nothing), NOWHERE), request
        asked += 1
    assert asked > 70
    assert (rows(world), world.guests.calls) == (before, [])
    # Had a request been wrong, its answer would prove nothing.
    for request, _ in pairs(estate):
        owner = ask(world, request, "admin" if "/mgmt/" in request.rule else "owner")
        assert owner.status_code not in (404, 405, 415, 500), (request, owner.text)
        point.restore()


def test_a_strangers_lists(world: World, estate: Estate) -> None:
    """Nothing of the project, whatever the query; its own user sees each thing in some list."""
    names = [estate.ids[name] for name in sorted(OWNED - {"project_id"})]
    seen = set()
    for request in estate.requests():
        if request.method != "GET" or request.arguments & OWNED or "/mgmt/" in request.rule:
            continue
        mine = ask(world, request, "owner").text
        seen |= {name for name in names if name in mine}
        for query in QUERIES:
            for value in names:
                answer = world.ask("GET", f"{request.path}?{query}={value}", "other")
                assert "owned-" not in answer.text, request
                assert [name for name in names if name in answer.text.replace(value, "")] == [], request
    assert seen == set(names)


def test_the_projects_own_url(world: World, estate: Estate) -> None:
    """A token is good for its project's URLs only."""
    for request in estate.requests():
        answer = world.ask(request.method, f"/v1.0/p1/{request.path}", "other", json=request.body)
        assert answer.status_code == 403, (request, answer.text)


NEW = {"name": "a", "flavorRef": "1", "volume": {"size": 1}}
REFERENCES: list[tuple[str, str, Any]] = [
    ("POST", "instances", {"instance": {"name": "a", "replica_of": "instance_id"}}),
    ("POST", "instances", {"instance": {**NEW, "restorePoint": {"backupRef": "backup_id"}}}),
    ("POST", "instances", {"instance": {**NEW, "configuration": "configuration"}}),
    ("POST", "instances", {"instance": {**NEW, "modules": [{"id": "module_id"}]}}),
    ("POST", "backups", {"backup": {"name": "a", "instance": "instance_id"}}),
    ("POST", "backups", {"backup": {"name": "a", "instance": "OWN", "parent_id": "backup_id"}}),
    ("POST", "backup_strategies", {"backup_strategy": {"swift_container": "a", "instance_id": "instance_id"}}),
    ("DELETE", "backup_strategies?instance_id=instance_id", None),
    ("PUT", "instances/OWN", {"instance": {"configuration": "configuration"}}),
    ("PATCH", "instances/OWN", {"instance": {"configuration": "configuration"}}),
    ("POST", "instances/OWN/modules", {"modules": [{"id": "module_id"}]}),
    ("DELETE", "instances/OWN/modules/module_id", None),
    ("GET", "modules?datastore=mariadb&marker=module_id", None),
]
"""Requests of a stranger with ids of the project in body or query; OWN is an instance of the stranger's."""


def test_what_a_stranger_refers_to(world: World, estate: Estate) -> None:
    own = world.active("other", name="theirs")
    before = rows(world)
    for method, path, body in REFERENCES:
        answers = []
        for ids in (estate.ids, NOWHERE):
            answer = ask(world, Request(method, "", _named(path, ids, own), _named(body, ids, own)))
            answers.append(told(answer, ids))
        assert answers[0] == answers[1], (method, path, body)
        assert "owned-" not in answers[0][1]
        assert answers[0][0] == (200 if method == "GET" else 404), answers[0]
    assert rows(world) == before


def _named(value: Any, ids: dict[str, str], own: str) -> Any:
    """With ids instead of their names."""
    if isinstance(value, dict):
        return {key: _named(item, ids, own) for key, item in value.items()}
    if isinstance(value, list):
        return [_named(item, ids, own) for item in value]
    if not isinstance(value, str):
        return value
    if value in ids:
        return ids[value]
    head, mark, last = value.rpartition("/" if "/" in value and "=" not in value else "=")
    return (head + mark + ids.get(last, last)).replace("OWN", own)
