# SPDX-License-Identifier: Apache-2.0
"""The sweep comes to wherever a Database-as-a-Service that keeps its place in memory only was seen to lose it.

Of steps of the guest the conductor dies before it has sent them, and when it has the answer but has not saved it.
"""

import pytest

from tests.openstack.sweep.run import chosen
from tests.openstack.sweep.scenarios import SCENARIOS

_QUEUED, _TAKEN = "kill operation.accepted", "kill operation.claimed"
LOST = {
    "instance.create": {
        "message still queued": _QUEUED,
        "message taken, nothing called yet": _TAKEN,
        "security group made, reply lost": "kill create-port.execute.within.2",
        "management port made, reply lost": "kill create-port.execute.within.6",
        "user port made, reply lost": "kill create-port.execute.within.4",
        "volume made, reply lost": "lose create-volume.execute.within.1",
        "waiting for the volume": "kill create-volume.execute.within.1",
        "before the server request": "kill create-server.execute.within.1",
        "server made, reply lost": "kill create-server.execute.within.2",
        "prepare sent to the guest": "kill install-datastore.execute.begun",
        "waiting for the guest to report ready": "kill install-datastore.execute.done",
    },
    "backup.create": {
        "message still queued": _QUEUED,
        "message taken, loading the instance": _TAKEN,
        "sent to the guest": "kill stream-backup.execute.begun",
        "with snapshots: sent to the guest": "kill stream-backup.execute.begun",
        "with snapshots: made, reply lost": "kill stream-backup.execute.done",
        "with snapshots: done, before the last call": "kill keep-backup.execute.begun",
    },
    "instance.resize_volume": {
        "message still queued": _QUEUED,
        "before extend": "kill resize-volume.execute.within.1",
        "extend done, reply lost": "lose resize-volume.execute.within.2",
        "waiting for the new size": "kill resize-volume.execute.within.2",
        "file system resize sent to the guest": "kill grow-filesystem.execute.begun",
    },
    "instance.resize_flavor": {
        "message still queued": _QUEUED,
        "database stopped by the guest, reply sent": "kill stop-datastore.execute.done",
        "resize done, reply lost": "lose resize-server.execute.within.2",
        "waiting for VERIFY_RESIZE": "kill resize-server.execute.within.2",
        "database restart sent to the guest": "kill start-datastore.execute.begun",
        "before confirmResize": "kill confirm-resize.execute.begun",
        "confirmResize done, reply lost": "kill confirm-resize.execute.within.1",
    },
    "instance.restart": {"restart sent to the guest": "kill restart-datastore.execute.begun"},
    "instance.delete": {
        "message still queued": _QUEUED,
        "before the database is stopped": _TAKEN,
        "before the server is deleted": "kill delete-server.execute.begun",
        "server deleted, reply lost": "lose delete-server.execute.within.1",
        "first port deleted, reply lost": "kill delete-port.execute.within.2",
        "before the security group is deleted": "kill delete-port.execute.within.5",
        "waiting for the server to go": "kill delete-server.execute.within.1",
        "all gone, before the row is marked deleted": "kill close-channel.execute.done",
    },
}
"""Operation -> where it was lost -> our point."""


@pytest.mark.parametrize(("kind", "where"), [(kind, where) for kind, found in LOST.items() for where in found])
def test_it_is_among_the_points(kind: str, where: str) -> None:
    assert [one for one in chosen([kind]) if one.name.partition(":")[0] == LOST[kind][where]]


def test_there_are_many_more() -> None:
    assert sum(map(len, LOST.values())) == 38
    assert len(chosen(one.of for one in SCENARIOS)) > 250
