# SPDX-License-Identifier: Apache-2.0
"""Idempotency-Key: a POST sent again is done once."""

import datetime

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session

from dbflow.db.models import Configuration, IdempotencyKey, Instance, Module, Operation, utcnow
from dbflow.operations import State
from dbflow.services import idempotency
from tests.unit.api.configurations import VALUES
from tests.unit.api.endings import ending
from tests.unit.api.world import BODY, World, same_key

KEY = {"Idempotency-Key": "k-1"}


def post(world: World, path: str, body: object, token: str = "owner", headers: dict[str, str] | None = None):
    return world.ask("POST", path, token, json=body, headers=headers or KEY)


def row(world: World) -> IdempotencyKey:
    with world.database.read() as session:
        return session.query(IdempotencyKey).one()


def test_the_same_answer_again(world: World) -> None:
    first = post(world, "instances", BODY)
    world.finish(first.json["instance"]["id"])
    second = post(world, "instances", BODY)
    assert (second.status_code, second.data, second.headers["Link"]) == (200, first.data, first.headers["Link"])
    assert (world.count(Instance), len(world.posted)) == (1, 1)
    assert first.json["instance"]["id"] not in (row(world).answer or "")


def test_keys_are_a_users_own(world: World) -> None:
    post(world, "instances", BODY)
    assert post(world, "instances", BODY, "legacy").status_code == 200
    assert post(world, "instances", BODY, "other").status_code == 200
    assert world.count(Instance) == 3


def test_another_request_with_the_same_key(world: World) -> None:
    first = post(world, "instances", BODY)
    answer = post(world, "instances", {"instance": BODY["instance"] | {"name": "db2"}})
    assert (answer.status_code, set(answer.json)) == (422, {"unprocessableEntity"})
    other = post(world, f"instances/{first.json['instance']['id']}/action", {"restart": {}})
    assert other.status_code == 422
    assert world.count(Instance) == 1


def test_a_refused_request_frees_its_key(world: World) -> None:
    assert post(world, "instances", {"instance": {}}).status_code == 400
    assert world.count(IdempotencyKey) == 0
    assert post(world, "instances", BODY).status_code == 200


def test_actions_and_guests_calls(world: World) -> None:
    instance_id = world.active()
    for path, body in ((f"instances/{instance_id}/root", {}), (f"instances/{instance_id}/action", {"restart": {}})):
        first, second = (post(world, path, body, headers={"Idempotency-Key": path}) for _ in range(2))
        assert (first.status_code, first.data) == (second.status_code, second.data)
    assert [name for _, name in world.guests.calls] == ["EnableRoot"]
    assert world.count(Operation) == 2


def crash_before_the_answer(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dbflow.api.idempotent.after", lambda _response: None)


def test_accepted_but_the_answer_was_lost(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        crash_before_the_answer(world, patch)
        first = post(world, "instances", BODY)
    again = post(world, "instances", BODY)
    assert (again.status_code, again.json, again.headers["Link"]) == (200, first.json, first.headers["Link"])
    assert world.count(Instance) == 1


def test_an_action_whose_answer_was_lost(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    path = f"instances/{world.active()}/action"
    with monkeypatch.context() as patch:
        crash_before_the_answer(world, patch)
        first = post(world, path, {"restart": {}})
    again = post(world, path, {"restart": {}})
    assert (again.status_code, again.data, again.headers["Link"]) == (202, b"", first.headers["Link"])


MODULE = {"name": "hello", "module_type": "ping", "contents": "bWVzc2FnZT1oZWxsbw=="}
GROUP = {"name": "busy", "values": VALUES, "datastore": {"type": "mariadb", "version": "10.11"}}


@pytest.mark.parametrize(
    ("path", "body", "model"),
    [
        ("configurations", {"configuration": GROUP}, Configuration),
        ("modules", {"module": MODULE}, Module),
    ],
)
def test_made_at_once_but_the_answer_was_lost(
    world: World, monkeypatch: pytest.MonkeyPatch, path: str, body: object, model: type
) -> None:
    with monkeypatch.context() as patch:
        crash_before_the_answer(world, patch)
        first = post(world, path, body)
    again = post(world, path, body)
    assert (again.status_code, again.json, "Link" in again.headers) == (200, first.json, False)
    assert world.count(model) == 1


@pytest.mark.parametrize("took_over", [False, True])
def test_a_group_of_a_key_that_was_taken_over(world: World, monkeypatch: pytest.MonkeyPatch, took_over: bool) -> None:
    """Whoever lost it makes none."""
    real = idempotency.Claim.accepted

    def late(self: idempotency.Claim, session: Session, operation_id: str | None, target_id: str) -> None:
        if took_over:
            session.execute(sa.update(IdempotencyKey).values(created=utcnow()))
        real(self, session, operation_id, target_id)

    monkeypatch.setattr(idempotency.Claim, "accepted", late)
    assert post(world, "configurations", {"configuration": GROUP}).status_code == (409 if took_over else 200)
    assert world.count(Configuration) == (0 if took_over else 1)


@pytest.mark.usefixtures("impatient")
def test_refused_after_it_was_accepted(world: World) -> None:
    """It waited for its operation, which was undone: the client must not hear that it is under way."""
    module_id = world.ask("POST", "modules", json={"module": MODULE}).json["module"]["id"]
    instance_id = world.active()
    ending(world, State.REVERTED, "step apply-module-1: no")
    body, path = {"modules": [{"id": module_id}]}, f"instances/{instance_id}/modules"
    first, again = post(world, path, body), post(world, path, body)
    assert (first.status_code, "step apply-module-1: no" in first.text) == (422, True)
    assert (again.status_code, again.data, again.headers["Link"]) == (422, first.data, first.headers["Link"])
    with world.database.read() as session:
        assert session.query(Operation).filter_by(kind="instance.apply_modules").count() == 1


def test_a_request_that_died_is_taken_over_only_when_old(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        crash_before_the_answer(world, patch)
        assert post(world, "instances", {"instance": {}}).status_code == 400
    answer = post(world, "instances", {"instance": {}})
    assert (answer.status_code, answer.headers["Retry-After"]) == (409, "1")
    with world.database.write() as session:
        session.merge(row(world)).created -= datetime.timedelta(seconds=61)
    assert post(world, "instances", {"instance": {}}).status_code == 400
    assert world.count(IdempotencyKey) == 0


def test_who_was_taken_over_makes_nothing(world: World) -> None:
    """The first request sleeps until its key has a new owner: its operation is not made."""
    asked = world.flavors.list

    def slow():
        with world.database.write() as session:
            session.merge(row(world)).created += datetime.timedelta(seconds=1)
        return asked()

    world.flavors.list = slow  # type: ignore[method-assign]
    assert post(world, "instances", BODY).status_code == 409
    assert (world.count(Instance), world.count(Operation)) == (0, 0)


@pytest.mark.parametrize("key", ["", "k" * 256, "a\tb", "caf\u00e9"])
def test_a_bad_key(world: World, key: str) -> None:
    assert post(world, "instances", BODY, headers={"Idempotency-Key": key}).status_code == 400
    assert world.count(Instance) == 0


def test_at_once(world: World) -> None:
    codes = same_key(world)
    assert set(codes) <= {200, 409}
    assert 200 in codes
    assert world.count(Instance) == 1
