# SPDX-License-Identifier: Apache-2.0
"""Failed backups are kept for a while, and then deleted as if somebody had asked."""

import datetime
import pathlib
from collections.abc import Iterator

import pytest
import sqlalchemy as sa
from cryptography.fernet import Fernet

from conductor.retention import Retention
from dbflow.crypto import Keyring
from dbflow.db.models import Backup, Base, Operation, utcnow
from dbflow.db.session import Database
from dbflow.services.seed import ensure_datastore
from dbflow.status import BackupState

HOUR = 3600.0


@pytest.fixture
def database(tmp_path: pathlib.Path) -> Iterator[Database]:
    made = Database(f"sqlite:///{tmp_path}/state.sqlite")
    Base.metadata.create_all(made.engine)
    version = ensure_datastore(made, "mariadb", "10.11", "10.11.14", "mariadb", None)
    now = utcnow()
    with made.write() as session:
        for name, state, hours, more in (
            ("old", BackupState.FAILED, 2, {}),
            ("fresh", BackupState.FAILED, 0, {}),
            ("good", BackupState.COMPLETED, 2, {}),
            ("half", BackupState.DELETE_FAILED, 2, {}),
            ("busy", BackupState.FAILED, 2, {"operation_id": "x"}),
            ("gone", BackupState.FAILED, 2, {"deleted": True}),
        ):
            session.add(
                Backup(
                    id=name,
                    name=name,
                    project_id="p",
                    user_id="u",
                    state=state,
                    strategy="physical",
                    datastore_version_id=version,
                    container="c",
                    prefix=f"p/{name}/",
                    updated=now - datetime.timedelta(hours=hours),
                    **more,
                )
            )
    yield made
    made.close()


def test_only_old_failed_ones_go(database: Database) -> None:
    keyring = Keyring([Fernet.generate_key()])
    retention = Retention(HOUR, database, keyring)
    assert retention.keep() == 1
    with database.read() as session:
        (operation,) = session.scalars(sa.select(Operation)).all()
        assert (operation.kind, operation.target_id, operation.user_id) == ("backup.delete", "old", "u")
        assert keyring.unseal(operation.arguments) == {"backup_ids": ["old"]}
        assert session.get_one(Backup, "old").operation_id == operation.id
    assert retention.keep() == 0


def test_without_a_time_they_stay(database: Database) -> None:
    assert Retention(0, database, Keyring([Fernet.generate_key()])).keep() == 0
