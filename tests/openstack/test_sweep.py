# SPDX-License-Identifier: Apache-2.0
"""A point of each operation at which a conductor dies; all of them by ``bash tools/test.sh openstack-sweep``, and by
``python -m tests.openstack.sweep``."""

import pytest

from tests.bench import cloud
from tests.fault.sweep import scenarios
from tests.fault.sweep.run import LEFT
from tests.functional.stack import base
from tests.openstack.stack import CloudStack
from tests.openstack.sweep.run import chosen, swept
from tests.openstack.sweep.scenarios import SCENARIOS, Create

POINTS = {
    "instance.create": "lose create-server.execute",
    "instance.resize_volume": "kill resize-volume.execute.done",
    "instance.resize_flavor": "kill confirm-resize.execute.done",
    "instance.delete": "kill delete-volume.execute.begun",
}
"""Where others get stuck: the cloud has done it, and nobody knows."""


def test_a_conductor_dies(stack: CloudStack) -> None:
    points = [point for kind, name in POINTS.items() for point in chosen([kind]) if point.name == name]
    assert len(points) == len(POINTS)
    results = list(swept(points, stack))
    assert [(one.point.title, one.violations) for one in results if one.violations] == []
    assert len(results) == len(POINTS)


@pytest.mark.sweep
@pytest.mark.parametrize("kind", [one.of for one in SCENARIOS])
def test_every_point(stack: CloudStack, kind: str) -> None:
    results = list(swept(chosen([kind]), stack))
    assert [(one.point.title, one.violations) for one in results if one.violations] == []
    assert len(results) == len(chosen([kind]))


class _Doubling(Create):
    """Makes a volume too many, which goes with the instance, and a container, which stays."""

    def check(self, ends: str) -> list[str]:
        self.cloud.place.admin.block_storage.create_volume(name=f"dbflow-{self.instance_id}", size=1)
        self.cloud.place.admin.create_container("left")
        return super().check(ends)


def test_what_is_there_twice_and_what_is_left_are_seen(stack: CloudStack, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody waits long for what is not to come."""
    monkeypatch.setattr(scenarios, "SETTLED", 5.0)
    monkeypatch.setattr(base, "PATIENCE", 40.0)
    (point,) = (one for one in chosen([Create.of]) if one.name == POINTS[Create.of])
    twice, left = swept([point], stack, [_Doubling])
    stack.place.admin.delete_container("left")
    assert "made 2 of volumes" in twice.violations
    assert [text for text in twice.violations if "made" in text] == ["made 2 of volumes", "made 1 of containers"]
    assert left.point.name == LEFT
    assert "'containers': ([], ['left'])" in left.violations[0]


def test_what_a_create_costs(stack: CloudStack) -> None:
    """The benchmark measures something."""
    made = cloud.created(stack)
    assert 0 < made.theirs < made.total
    assert made.theirs <= sum(end - start for start, end in (made.nova, made.cinder))
    assert made.theirs + made.guest + made.dbflow == pytest.approx(made.total)
    assert 0 < made.dbflow < made.own


def test_a_create_that_fails_costs_nothing(stack: CloudStack) -> None:
    images = stack.place.admin.image
    images.update_image(stack.image, min_ram=10**6)
    try:
        with stack.nothing_left(), pytest.raises(RuntimeError, match="memory is too small"):
            cloud.created(stack)
    finally:
        images.update_image(stack.image, min_ram=0)
