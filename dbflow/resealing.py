# SPDX-License-Identifier: Apache-2.0
"""Everything that is sealed in SQL, sealed anew with the newest key: row by row, beside whoever else writes."""

import collections
from collections.abc import Iterator
from typing import Any, cast

import sqlalchemy as sa
import tenacity

from dbflow import faults
from dbflow.crypto import BadSeal, Keyring
from dbflow.db.models import Authority, IdempotencyKey, Instance, InstanceTls, Module, Operation, ProjectKey
from dbflow.db.session import Database
from dbflow.persistence.tables import ATOMS

SEALED: tuple[sa.Column[Any], ...] = tuple(
    cast(sa.Table, table).c[column]
    for table, columns in (
        (Operation.__table__, ["arguments"]),
        (Instance.__table__, ["guest_key", "replication"]),
        (IdempotencyKey.__table__, ["answer"]),
        (ProjectKey.__table__, ["sealed"]),
        (Module.__table__, ["contents"]),
        (Authority.__table__, ["sealed"]),
        (InstanceTls.__table__, ["sealed"]),
        (ATOMS, ["results", "failure", "revert_results", "revert_failure"]),
    )
    for column in columns
)
"""Every column whose values Keyring.seal made."""
BATCH = 100
"""Rows a transaction."""
_PASSES = 5

Row = tuple[Any, ...]
"""Primary key and sealed value."""


def reseal(database: Database, keyring: Keyring) -> collections.Counter[str]:
    """Go over everything until a pass finds nothing to do; how many values of each ``table.column`` were sealed anew,
    and how many ``unreadable`` ones no key of the ring opens. A run that was cut off is finished by the next one."""
    done: collections.Counter[str] = collections.Counter()
    for _ in range(_PASSES):
        changed = 0
        for column in SEALED:
            for batch in _batches(database, column):
                count = _reseal_batch(database, keyring, column, batch)
                done[str(column)] += count
                changed += count
                faults.point("key.rotate.batch")
        if not changed:
            break
    done["unreadable"] = sum(1 for _, fits in _tried(database, keyring) if not fits)
    return +done


def still_needed(database: Database, newest: Keyring, all_keys: Keyring) -> int:
    """How many values only the older keys open."""
    return sum(1 for text, fits in _tried(database, newest) if not fits and _opens(all_keys, text))


def _tried(database: Database, keyring: Keyring) -> Iterator[tuple[str, bool]]:
    """(sealed value, whether the ring opens it)"""
    for column in SEALED:
        for batch in _batches(database, column):
            for *_, text in batch:
                yield text, _opens(keyring, text)


def _opens(keyring: Keyring, text: str) -> bool:
    try:
        keyring.unseal(text)
    except BadSeal:
        return False
    return True


def _batches(database: Database, column: sa.Column[Any]) -> Iterator[list[Row]]:
    keys = list(column.table.primary_key)
    query = sa.select(*keys, column).where(column.is_not(None)).order_by(*keys).limit(BATCH)
    last: Row | None = None
    while True:
        further = query if last is None else query.where(sa.tuple_(*keys) > last)
        with database.read() as session:
            rows = [tuple(row) for row in session.execute(further)]
        if not rows:
            return
        yield rows
        last = rows[-1][:-1]


# A row that somebody holds, or a deadlock: the batch is done again.
@tenacity.retry(
    retry=tenacity.retry_if_exception_type(sa.exc.OperationalError),
    stop=tenacity.stop_after_attempt(5),
    wait=tenacity.wait_random(0.05, 0.5),
    reraise=True,
)
def _reseal_batch(database: Database, keyring: Keyring, column: sa.Column[Any], rows: list[Row]) -> int:
    fresh = [(row[:-1], row[-1], _resealed(keyring, row[-1])) for row in rows]
    changes = [(key, old, new) for key, old, new in fresh if new != old]
    if not changes:
        return 0
    keys = list(column.table.primary_key)
    count = 0
    with database.write() as session:
        for key, old, new in changes:
            # Only if nobody has written since: whoever did has sealed with the newest key.
            same = [part == value for part, value in zip(keys, key, strict=True)]
            update = sa.update(column.table).where(*same, column == old).values({column: new})
            count += cast(Any, session.execute(update)).rowcount
    return count


def _resealed(keyring: Keyring, text: str) -> str:
    try:
        return keyring.reseal(text)
    except BadSeal:
        return text
