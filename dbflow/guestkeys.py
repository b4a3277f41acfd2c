# SPDX-License-Identifier: Apache-2.0
"""Where the message key of an instance is kept: its row, sealed."""

import base64

from sqlalchemy import select

from dbflow.crypto import Keyring
from dbflow.db.models import Instance
from dbflow.db.session import Database


def key_of(database: Database, keyring: Keyring, instance_id: str) -> bytes:
    """The 32 bytes that seal this instance's messages; KeyError when it has none (no such guest)."""
    with database.read() as session:
        sealed = session.scalar(select(Instance.guest_key).where(Instance.id == instance_id))
    if sealed is None:
        raise KeyError(instance_id)
    return base64.b64decode(keyring.unseal(sealed))
