# SPDX-License-Identifier: Apache-2.0
"""What the cloud has lost can't be changed, and there is nothing to undo."""

import types
from typing import Any, cast

import pytest

from dbflow.cloud.base import NOBODY, NotFound
from flows.tasks import network
from flows.tasks.base import FlowContext, LocalTask
from flows.tasks.network import UpdateAccess
from flows.tasks.volume import ResizeVolume
from tests.unit.flows.test_local_tasks import Holds


def _lost(*_: Any) -> None:
    raise NotFound("It cannot be found.")


@pytest.mark.parametrize(
    ("task", "wanted", "old"),
    [
        (UpdateAccess("update-access"), {"access": {"is_public": True}}, {"old_access": {}}),
        (ResizeVolume("resize-volume"), {"volume_size": 2}, {"old_volume_size": 1}),
    ],
)
def test_lost(monkeypatch: pytest.MonkeyPatch, task: LocalTask, wanted: dict[str, Any], old: dict[str, Any]) -> None:
    monkeypatch.setattr(network, "reach", lambda *_: NOBODY)
    lost = types.SimpleNamespace(update_access=_lost, resize=_lost)
    cloud = types.SimpleNamespace(networks=lost, volumes=lost)
    task.bind(cast(FlowContext, types.SimpleNamespace(cloud=cloud, fence=Holds())))
    with pytest.raises(NotFound):
        task.execute(instance_id="i", **wanted)
    task.revert(instance_id="i", **old)
