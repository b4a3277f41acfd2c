# SPDX-License-Identifier: Apache-2.0
"""A point of each operation at which a conductor dies; all of them by ``python -m tests.openstack.sweep``."""

import pathlib
from collections.abc import Iterator

import pytest

from tests.bench import cloud
from tests.openstack.place import Place
from tests.openstack.stack import CloudStack
from tests.openstack.sweep.run import chosen, swept

POINTS = {
    "instance.create": "lose create-server.execute",
    "instance.resize_volume": "kill resize-volume.execute.done",
    "instance.resize_flavor": "kill confirm-resize.execute.done",
    "instance.delete": "kill delete-volume.execute.begun",
}
"""Where others get stuck: the cloud has done it, and nobody knows."""


@pytest.fixture(scope="module")
def stack(place: Place, guest_image: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[CloudStack]:
    with CloudStack(pathlib.Path(tmp_path_factory.mktemp("images")), place, guest_image) as made:
        yield made


def test_a_conductor_dies(stack: CloudStack) -> None:
    points = [point for kind, name in POINTS.items() for point in chosen([kind]) if point.name == name]
    assert len(points) == len(POINTS)
    found = {point.title: violations for point, _, violations in swept(points, stack)}
    assert {title: violations for title, violations in found.items() if violations} == {}
    assert len(found) == len(POINTS)


def test_what_a_create_costs(stack: CloudStack) -> None:
    """The benchmark measures something."""
    made = cloud.created(stack.client())
    assert 0 < made.own < made.total
    assert set(cloud.PARTS) <= set(made.steps)


def test_there_are_more_points_than_others_have_been_tried_at() -> None:
    assert len(chosen(POINTS)) > 38
