# SPDX-License-Identifier: Apache-2.0
"""The keys that backups are encrypted with: a random secret for each project, sealed in SQL, and a key for each
backup derived from it. A guest gets the keys of the backups that it makes or restores, and no other."""

import base64
import os

import sqlalchemy as sa
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from sqlalchemy.dialects import mysql, sqlite
from sqlalchemy.orm import Session

from dbflow.crypto import Keyring
from dbflow.db.models import ProjectKey, utcnow

SIZE = 32
"""Bytes"""


class KeyMissing(Exception):
    """The project has no key: its backups were made by another control plane."""


def project_key(session: Session, keyring: Keyring, project_id: str) -> bytes:
    """The project's secret, made if there is none, in a transaction that may write. Of two that make one the second
    has that of the first."""
    sealed = keyring.seal(base64.b64encode(os.urandom(SIZE)).decode())
    row = {"project_id": project_id, "sealed": sealed, "created": utcnow()}
    if session.get_bind().dialect.name == "sqlite":
        session.execute(sqlite.insert(ProjectKey).values(row).on_conflict_do_nothing())
    else:
        # Takes the row's exclusive lock whether it was there or not: those who come at once wait for each other, where
        # IGNORE would give each a shared one, which none can exchange for the next statement's.
        session.execute(mysql.insert(ProjectKey).values(row).on_duplicate_key_update(project_id=project_id))
    # What is locked is read as it is now, not as it was when the transaction began.
    newest = sa.select(ProjectKey.sealed).where(ProjectKey.project_id == project_id).with_for_update()
    return base64.b64decode(keyring.unseal(session.scalars(newest).one()))


def known_project_key(session: Session, keyring: Keyring, project_id: str) -> bytes:
    """The project's secret; KeyMissing."""
    sealed = session.scalar(sa.select(ProjectKey.sealed).where(ProjectKey.project_id == project_id))
    if sealed is None:
        raise KeyMissing(f"Project {project_id} has no key for backups.")
    return base64.b64decode(keyring.unseal(sealed))


def backup_key(secret: bytes, prefix: str) -> str:
    """The key, in base64, of the backup whose objects' names begin with ``prefix``; ``secret`` is the project's."""
    derive = HKDF(algorithm=hashes.SHA256(), length=SIZE, salt=None, info=f"dbflow backup {prefix}".encode())
    return base64.b64encode(derive.derive(secret)).decode()
