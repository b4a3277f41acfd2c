# SPDX-License-Identifier: Apache-2.0
"""A deployment in a directory, and the command run on it."""

import dataclasses
import json
import pathlib
from collections.abc import Iterator
from typing import Any

import pytest
import sqlalchemy as sa

from dbflow.cmd.manage import main
from dbflow.crypto import Keyring
from dbflow.db import migrate
from dbflow.db.models import Datastore, DatastoreVersion, Instance, Operation, utcnow
from dbflow.db.session import Database
from dbflow.operations import State, accept
from dbflow.persistence.tables import ATOMS, FLOWS, LOGBOOKS
from flows.registry import REGISTRY


@dataclasses.dataclass
class Deployment:
    """State directory, database and keys of a dbflow without processes."""

    path: pathlib.Path
    database: Database
    keyring: Keyring
    capsys: pytest.CaptureFixture[str]

    def run(self, *arguments: str) -> int:
        """dbflow-manage on this deployment; its status."""
        return main(["--state-dir", str(self.path), *arguments])

    def answer(self, *arguments: str) -> Any:
        """What it prints as JSON."""
        self.capsys.readouterr()
        assert self.run("--format", "json", *arguments) == 0, self.capsys.readouterr().err
        return json.loads(self.capsys.readouterr().out)

    def operation(self, kind: str = "instance.create", state: State = State.RUNNING, name: str = "shop") -> Operation:
        """An instance and an operation that works on it, its steps saved as a conductor would."""
        with self.database.write() as session:
            version = session.scalars(sa.select(DatastoreVersion)).first()
            if version is None:
                session.add(Datastore(id="d", name="mariadb", default_version_id="v"))
                session.flush()
                version = DatastoreVersion(
                    id="v", datastore_id="d", name="10.11", version="10.11.14", manager="mariadb"
                )
                session.add(version)
                session.flush()
            instance = Instance(
                name=name, project_id="p", user_id="u", datastore_version_id=version.id, flavor_id="1", task="BUILDING"
            )
            session.add(instance)
            session.flush()
            arguments = REGISTRY.definition(kind).example
            operation = accept(
                session, self.keyring, kind, target_id=instance.id, project_id="p", user_id="u", request_id=None,
                arguments=arguments,
            )  # fmt: skip
            session.flush()
            instance.operation_id = operation.id
            operation.state, operation.conductor, operation.started = state, "host:1:ab", utcnow()
            session.execute(sa.insert(LOGBOOKS).values(uuid=operation.id, name=operation.id))
            session.execute(
                sa.insert(FLOWS).values(uuid=operation.flow_uuid, parent_uuid=operation.id, state="RUNNING")
            )
            for node in REGISTRY.graph(kind, 1, arguments)["nodes"]:
                session.execute(
                    sa.insert(ATOMS).values(
                        uuid=f"{operation.id}:{node['name']}"[:64],
                        parent_uuid=operation.flow_uuid,
                        name=node["name"],
                        state="PENDING",
                        intention="EXECUTE",
                        meta={},
                    )
                )
        return operation

    def step(self, operation: Operation, name: str, state: str, **meta: Any) -> None:
        """Save a step's state."""
        mine = (ATOMS.c.parent_uuid == operation.flow_uuid) & (ATOMS.c.name == name)
        with self.database.write() as session:
            changed = session.execute(sa.update(ATOMS).where(mine).values(state=state, meta=meta))
            assert changed.rowcount == 1

    def end(self, operation: Operation, state: State, error: str | None = None) -> None:
        """Write an operation's end."""
        with self.database.write() as session:
            found = session.get_one(Operation, operation.id)
            found.state, found.error, found.finished = state, error, utcnow()


@pytest.fixture
def deployment(open_tmp: pathlib.Path, capsys: pytest.CaptureFixture[str]) -> Iterator[Deployment]:
    url = f"sqlite:///{open_tmp}/dbflow.sqlite"
    Keyring.create_file(open_tmp / "keys")
    (open_tmp / "dbflow.conf").write_text(
        f"[database]\nconnection = {url}\n[security]\nkey_file = {open_tmp}/keys\n"
        f"[coordination]\ndriver = embedded\n[local_cloud]\nstate_dir = {open_tmp}/cloud\n"
    )
    migrate.upgrade(url)
    database = Database(url)
    yield Deployment(open_tmp, database, Keyring.from_file(open_tmp / "keys"), capsys)
    database.close()
