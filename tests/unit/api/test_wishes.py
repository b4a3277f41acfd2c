# SPDX-License-Identifier: Apache-2.0
"""What only the cloud can judge is refused before anything is recorded."""

from typing import Any

import pytest

from dbflow.cloud.base import CloudError, Unavailable, Unsuitable, Wish
from tests.unit.api.world import World

NETWORK = "6c8a2a8e-0f1b-4d55-9b0e-2d6c9c7f1a01"


@pytest.mark.parametrize("how", ["create", "replica", "access"])
def test_the_field_is_named(world: World, how: str) -> None:
    instance_id = world.active()
    world.ungranted = Unsuitable("Network cannot be found.", "nics")
    answer = _ask(world, how, instance_id)
    assert answer.status_code == 400
    assert "Network cannot be found. (nics)" in answer.text
    assert len(world.posted) == 1


@pytest.mark.parametrize("how", ["create", "replica", "access"])
@pytest.mark.parametrize("error", [Unavailable("Neutron at http://inside does not answer"), CloudError("no")])
def test_a_cloud_that_does_not_tell(world: World, how: str, error: CloudError) -> None:
    instance_id = world.active()
    world.ungranted = error
    answer = _ask(world, how, instance_id)
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "5")
    assert "inside" not in answer.text


def test_what_is_asked(world: World) -> None:
    world.created(
        nics=[{"net-id": NETWORK}],
        access={"is_public": True},
        availability_zone="az",
        volume={"size": 1, "type": "ssd"},
    )
    assert world.wishes == [
        Wish("p1", [{"network_id": NETWORK}], {"is_public": True}, volume_type="ssd", availability_zone="az")
    ]


def _ask(world: World, how: str, instance_id: str) -> Any:
    match how:
        case "create":
            return world.create(nics=[{"net-id": NETWORK}])
        case "replica":
            body = {"instance": {"name": "r", "replica_of": instance_id}}
            return world.ask("POST", "instances", json=body)
    body = {"instance": {"access": {"is_public": True}}}
    return world.ask("PUT", f"instances/{instance_id}", json=body)
