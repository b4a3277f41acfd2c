# SPDX-License-Identifier: Apache-2.0
"""Every resource asks the policy, and every rule of the policy is asked by a resource."""

from collections.abc import Iterator
from typing import Any

import pytest
from werkzeug.test import TestResponse

from dbflow.api.here import attach
from dbflow.policy import BASE_RULES, Policy, list_rules
from dbflow.services.verbs import RULES
from tests.unit.api.estate import ACTIONS, METHODS
from tests.unit.api.world import World

BODIES: dict[str, list[Any]] = {
    "/action": ACTIONS,
    "/log": [{"name": "general"}, {"name": "general", "enable": 1}],
}
"""Of the resources whose rule depends on their body; no other reads a body before it has asked."""
UNAUTHORIZED = (
    {"mgmt:quota_update"},
    {"mgmt:parameters"},
    {"mgmt:instance_action"},
    {"mgmt:instances"},
    {"mgmt:datastore_versions"},
)
"""Rules of Trove's mgmt resources, which answer 401."""


class Refusing:
    """A policy that lets nobody do anything but what is in ``but``, and notes what it was asked."""

    def __init__(self, but: frozenset[str] = frozenset()) -> None:
        self.but, self.asked = but, set[str]()

    def allows(self, rule: str, *_: Any) -> bool:
        self.asked.add(rule)
        return rule in self.but

    def is_admin(self, _: frozenset[str]) -> bool:
        return False


def _requests(world: World) -> Iterator[tuple[str, str, Any]]:
    """Method, path and body of one request to each resource (to one with many rules: one for each)."""
    adapter = world.app.url_map.bind("localhost")
    for rule in world.app.url_map.iter_rules():
        if "project" not in rule.arguments:
            continue
        for verb in RULES if "verb" in rule.arguments else ["x"]:
            values = {name: "p1" if name == "project" else "x" for name in rule.arguments}
            path = adapter.build(rule.endpoint, values | ({"verb": verb} if "verb" in rule.arguments else {}))
            for method in sorted((rule.methods or set()) & METHODS):
                for body in next((found for end, found in BODIES.items() if path.endswith(end)), [None]):
                    yield method, path, body


def _with(world: World, policy: Refusing) -> Refusing:
    attach(world.app, world.services, policy)  # type: ignore[arg-type]
    return policy


def _refused(world: World, method: str, path: str, body: Any) -> TestResponse:
    return world.ask(method, path, json=body)


def test_every_resource_asks(world: World) -> None:
    policy = _with(world, Refusing())
    for method, path, body in list(_requests(world)):
        policy.asked.clear()
        answer = _refused(world, method, path, body)
        assert len(policy.asked) == 1, (method, path, body)
        wanted = 401 if policy.asked in UNAUTHORIZED else 403
        assert answer.status_code == wanted, (method, path, body, answer.text)


def test_every_rule_is_asked(world: World) -> None:
    policy = _with(world, Refusing(frozenset({"operation:index", "backup:index"})))
    for method, path, body in list(_requests(world)):
        _refused(world, method, path, body)
    for plural in ("operations", "backups"):
        world.ask("GET", f"{plural}?all_projects=1")
    assert policy.asked == {rule.name for rule in list_rules()} - BASE_RULES


@pytest.mark.parametrize(("roles", "status"), [("role:member", 200), ("rule:admin", 401)])
def test_quotas_are_changed_by_whom_the_policy_lets(world: World, tmp_path: Any, roles: str, status: int) -> None:

    file = tmp_path / "policy.yaml"
    file.write_text(f'"mgmt:quota_update": "{roles}"\n')
    policy = Policy(world.conf)
    policy._enforcer.policy_file = str(file)
    policy._enforcer.load_rules(True)
    attach(world.app, world.services, policy)
    answer = world.ask("PUT", "mgmt/quotas/p1", json={"quotas": {"instances": 3}})
    assert answer.status_code == status, answer.text
