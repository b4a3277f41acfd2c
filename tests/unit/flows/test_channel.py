# SPDX-License-Identifier: Apache-2.0
"""The channel of an instance that others took away while it was made."""

import pathlib
import types
from typing import Any, cast

import pytest
from cryptography.fernet import Fernet

from dbflow.crypto import Keyring
from dbflow.db.models import Instance, Operation
from dbflow.fencing import Fence
from flows.tasks.base import FlowContext
from flows.tasks.channel import OpenChannel
from tests.unit.rows import with_version


@pytest.mark.parametrize("changes", [{}, {"deleted": True}, {"guest_key": None}])
def test_nothing_is_left_of_one_that_is_gone(tmp_path: pathlib.Path, changes: dict[str, Any]) -> None:
    database, keyring = with_version(tmp_path), Keyring([Fernet.generate_key()])
    with database.write() as session:
        session.add(Instance(id="i", name="x", project_id="p", user_id="u", datastore_version_id="v", flavor_id="1"))
        operation = {"kind": "instance.create", "version": 1, "target_type": "instance", "target_id": "i"}
        session.add(Operation(id="o", project_id="p", user_id="u", arguments="", epoch=1, **operation))
    calls: list[str] = []

    def declare(instance_id: str) -> None:
        calls.append(f"declare {instance_id}")
        with database.write() as session:
            for name, value in changes.items():
                setattr(session.get_one(Instance, "i"), name, value)

    channels = types.SimpleNamespace(
        declare_guest=declare, delete_guest=lambda instance_id: calls.append(f"delete {instance_id}")
    )
    fence = Fence(database, "o", 1)
    task = OpenChannel()
    task.bind(cast(FlowContext, types.SimpleNamespace(fence=fence, keyring=keyring, channels=channels)))
    task.execute(instance_id="i")
    assert calls == ["declare i", *(["delete i"] if changes else [])]
    database.close()
