# SPDX-License-Identifier: Apache-2.0
"""Databases that go from one compute host to the other, and back when that is undone: their rows go with them."""

import contextlib

import pytest

from tests.fault.sweep.points import REVERTED, SUCCESS
from tests.functional.stack.client import PATIENCE
from tests.openstack.stack import CloudStack
from tests.openstack.sweep.scenarios import InCloud, ResizeFlavor
from tests.waiting import wait_for

pytestmark = pytest.mark.full


class Migrate(InCloud):
    """The cloud chooses where to; it may be any other host."""

    of = "instance.migrate"

    def ask(self) -> None:
        path = f"/mgmt/instances/{self.instance_id}/action"
        self.post_as(self.stack.admin(), path, {"migrate": {}})

    def check(self, ends: str) -> list[str]:
        return self.healthy()


@pytest.mark.parametrize(("kind", "confirm"), [(ResizeFlavor, "confirm-resize"), (Migrate, "confirm-migration")])
def test_there_and_back(stack: CloudStack, kind: type[InCloud], confirm: str) -> None:
    scenario = kind(stack)
    with stack.nothing_left():
        scenario.make()
        here, there = _ended(scenario, SUCCESS)
        assert _ended(scenario, REVERTED, f"{confirm}.execute.called") == (there, there)
        last, *_ = stack.place.devcloud.openstack("admin").compute.migrations(instance_uuid=scenario.server().id)
        assert (last.source_compute, last.dest_compute, last.status) == (there, here, "reverted")
        # Too late for Nova to go back: the machine is moved once more, and there must be room where it was.
        _ended(scenario, REVERTED, "record-health.execute.called", contextlib.nullcontext())
        scenario.leave()


def _ended(
    scenario: InCloud, state: str, fails: str = "", room: contextlib.AbstractContextManager[None] | None = None
) -> tuple[str, str]:
    """Where it was and where it is, after an operation meanwhile ``room`` (on the other host only)."""
    stack, before = scenario.cloud, scenario.server().compute_host
    scenario.prepare()
    if fails:
        stack.faults.arm(fails, "raise")
    with room or stack.place.without(before):
        scenario.ask()
        ended = wait_for(lambda: (one := scenario.operation())["done"] and one, PATIENCE, f"the end of {scenario.of}")
    assert ended["state"] == state, ended.get("error")
    assert scenario.check(state) == []
    stack.faults.clear()
    return before, scenario.server().compute_host
