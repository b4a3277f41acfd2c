# SPDX-License-Identifier: Apache-2.0
"""A project has one secret, whoever makes it, on each kind of database."""

import threading

import pytest
import sqlalchemy as sa
from cryptography.fernet import Fernet

from dbflow.backupkeys import KeyMissing, backup_key, known_project_key, project_key
from dbflow.crypto import Keyring
from dbflow.db.models import ProjectKey
from dbflow.db.session import Database


def test_those_who_come_at_once_have_the_same(database: Database) -> None:
    keyring, found, start = Keyring([Fernet.generate_key()]), list[bytes](), threading.Barrier(6)

    def make() -> None:
        start.wait()
        with database.write() as session:
            found.append(project_key(session, keyring, "p1"))

    threads = [threading.Thread(target=make) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with database.read() as session:
        assert session.scalar(sa.select(sa.func.count()).select_from(ProjectKey)) == 1
        assert {*found, known_project_key(session, keyring, "p1")} == {found[0]}
        with pytest.raises(KeyMissing):
            known_project_key(session, keyring, "p2")
    assert len(found) == 6
    assert len({backup_key(found[0], prefix) for prefix in ("p1/a/", "p1/b/")} | {backup_key(b"x" * 32, "p1/a/")}) == 3
