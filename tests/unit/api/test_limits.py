# SPDX-License-Identifier: Apache-2.0
"""Quotas, the race for the last place, and rate limits."""

import pytest

from dbflow.api.app import create_app
from dbflow.api.auth import TokenFileAuth
from dbflow.db.models import Instance
from tests.unit.api.world import World, race


def test_quotas_are_counted_and_given_back(world: World) -> None:
    world.conf.set_override("max_instances_per_tenant", 2, "quota")
    first = world.active()
    world.active()
    answer = world.create()
    assert answer.status_code == 413
    assert answer.json == {
        "overLimit": {"code": 413, "message": "Quota exceeded for resources: ['instances']"},
    }
    assert world.create("other").status_code == 200
    with world.database.write() as session:
        session.merge(world.instance(first)).deleted = True
    assert world.create().status_code == 200


@pytest.mark.parametrize(("limit", "resource"), [("max_volumes_per_tenant", "volumes"), ("max_ram_per_tenant", "ram")])
def test_other_resources(world: World, limit: str, resource: str) -> None:
    world.conf.set_override(limit, 1, "quota")
    answer = world.create(volume={"size": 2})
    assert answer.json["overLimit"]["message"] == f"Quota exceeded for resources: ['{resource}']"
    assert world.count(Instance) == 0


def test_a_resize_needs_quota_for_the_difference(world: World) -> None:
    world.conf.set_override("max_volumes_per_tenant", 3, "quota")
    world.conf.set_override("max_ram_per_tenant", 512, "quota")
    path = f"instances/{world.active()}/action"
    for body in ({"resize": {"volume": {"size": 4}}}, {"resize": {"flavorRef": "big"}}):
        assert world.ask("POST", path, json=body).status_code == 413
    assert world.ask("POST", path, json={"resize": {"volume": {"size": 3}}}).status_code == 202
    assert world.ask("GET", "mgmt/quotas/p1").json["quotas"][2] == {
        "resource": "volumes",
        "in_use": 3,
        "reserved": 0,
        "limit": 3,
    }


def test_a_project_may_have_its_own(world: World) -> None:
    shown = world.ask("GET", "mgmt/quotas/p1").json
    assert [quota["resource"] for quota in shown["quotas"]] == ["instances", "ram", "volumes", "backups"]
    assert world.ask("GET", "mgmt/quotas/p2").status_code == 403
    assert world.ask("PUT", "mgmt/quotas/p1", json={"quotas": {"instances": 99}}).status_code == 401
    changed = world.ask("PUT", "mgmt/quotas/p1", "admin", json={"quotas": {"instances": "0", "ram": -1}})
    assert (changed.status_code, changed.json) == (200, {"quotas": {"instances": 0, "ram": -1}})
    assert world.create().status_code == 413
    assert world.ask("GET", "mgmt/quotas/p1", "admin").json["quotas"][0]["limit"] == 0
    assert world.ask("PUT", "mgmt/quotas/p1", "admin", json={"quotas": {"wine": 1}}).status_code == 404
    for bad in (-2, "x", 1.5, [], 2**40):
        assert world.ask("PUT", "mgmt/quotas/p1", "admin", json={"quotas": {"ram": bad}}).status_code == 400


def test_limits(world: World) -> None:
    absolute, get, *rest = world.ask("GET", "limits").json["limits"]
    assert absolute == {
        "verb": "ABSOLUTE",
        "max_instances": 10,
        "max_ram": -1,
        "max_volumes": 40,
        "max_backups": 50,
    }
    assert {key: get[key] for key in ("verb", "uri", "regex", "value", "unit", "remaining")} == {
        "verb": "GET",
        "uri": "*",
        "regex": ".*",
        "value": 200,
        "unit": "MINUTE",
        "remaining": 199,
    }
    assert get["nextAvailable"].endswith("Z")
    assert [rate["verb"] for rate in rest] == ["POST", "PUT", "DELETE", "POST"]


@pytest.fixture
def narrow(world: World) -> World:
    world.conf.set_override("http_get_rate", 3, "api")
    world.conf.set_override("unauthenticated_rate", 2, "api")
    world.app = create_app(world.services, TokenFileAuth(world.token_file))
    world.client = world.app.test_client()
    return world


def test_a_user_is_slowed_down(narrow: World) -> None:
    assert [narrow.ask("GET", "instances").status_code for _ in range(4)] == [200, 200, 200, 413]
    answer = narrow.ask("GET", "instances")
    fault = answer.json["overLimit"]
    assert fault["message"] == "This request was rate-limited."
    assert int(answer.headers["Retry-After"]) == fault["retryAfter"] >= 1
    assert "details" in fault
    assert narrow.ask("GET", "instances", "reader").status_code == 200
    assert narrow.create().status_code == 200


def test_an_address_without_a_token_is_slowed_down(narrow: World) -> None:
    codes = [narrow.ask("GET", "instances", None).status_code for _ in range(3)]
    assert codes == [401, 401, 413]
    assert narrow.ask("GET", "instances").status_code == 200


def test_one_wins_the_last_place(world: World) -> None:
    assert race(world) == [200] * 3 + [413] * 5
    assert world.count(Instance) == 3
