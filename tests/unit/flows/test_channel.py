# SPDX-License-Identifier: Apache-2.0
"""The channel of an instance that others took away while it was made."""

import pathlib
import types
from typing import Any, cast

import pytest
from cryptography.fernet import Fernet

from dbflow.crypto import Keyring
from dbflow.db.models import Base, Datastore, DatastoreVersion, Instance, Operation
from dbflow.db.session import Database
from dbflow.fencing import Fence
from flows.tasks.base import FlowContext
from flows.tasks.channel import OpenChannel


@pytest.mark.parametrize("changes", [{}, {"deleted": True}, {"guest_key": None}])
def test_nothing_is_left_of_one_that_is_gone(tmp_path: pathlib.Path, changes: dict[str, Any]) -> None:
    database, keyring = Database(f"sqlite:///{tmp_path}/x.sqlite"), Keyring([Fernet.generate_key()])
    Base.metadata.create_all(database.engine)
    with database.write() as session:
        session.add(Datastore(id="d", name="mariadb"))
        session.flush()
        session.add(DatastoreVersion(id="v", datastore_id="d", name="1", version="1", manager="mariadb"))
        session.flush()
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
