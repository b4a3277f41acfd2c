# SPDX-License-Identifier: Apache-2.0
"""A day of each instance's load and volume use, one heartbeat of every five minutes.

A ring: each slot of the day has a row, which the next day writes over. So an instance has at most :data:`SLOTS` rows;
they go with it.
"""

import datetime
import functools
from collections.abc import Sequence
from typing import Any, cast

import sqlalchemy as sa
from sqlalchemy.dialects import mysql, sqlite
from sqlalchemy.orm import Session

from dbflow.db.models import Sample

EVERY = 300
"""Seconds."""
SLOTS = 86400 // EVERY
_TABLE = cast(sa.Table, Sample.__table__)
_KEY = ("instance_id", "slot")
_COLUMNS = [column.name for column in _TABLE.columns if column.name not in _KEY]
_ZERO = datetime.datetime(1970, 1, 1)


def turn_of(moment: datetime.datetime) -> int:
    """Of which five minutes since 1970 a moment (UTC) is."""
    return int((moment - _ZERO).total_seconds()) // EVERY


def save_samples(session: Session, beats: Sequence[dict[str, Any]]) -> None:
    """Keep heartbeats, which have the columns of Health; conductors that hear the same guest write the same slot."""
    rows = [
        {
            "instance_id": beat["instance_id"],
            "slot": turn_of(beat["seen"]) % SLOTS,
            "at": beat["seen"],
            "volume_used": beat["volume_used"],
            "load": beat["load"],
        }
        for beat in beats
    ]
    if rows:
        session.execute(_upsert(session.get_bind().dialect.name), rows)


@functools.cache
def _upsert(dialect: str) -> Any:
    if dialect == "sqlite":
        lite = sqlite.insert(_TABLE)
        return lite.on_conflict_do_update(index_elements=_KEY, set_={name: lite.excluded[name] for name in _COLUMNS})
    my = mysql.insert(_TABLE)
    return my.on_duplicate_key_update({name: my.inserted[name] for name in _COLUMNS})


def samples_of(session: Session, instance_id: str, now: datetime.datetime) -> Sequence[Any]:
    """(at, volume_used, load) of the day before ``now``, in order."""
    columns = (_TABLE.c.at, _TABLE.c.volume_used, _TABLE.c.load)
    since = now - datetime.timedelta(seconds=EVERY * SLOTS)
    query = sa.select(*columns).where(_TABLE.c.instance_id == instance_id, _TABLE.c.at > since)
    return session.execute(query.order_by(_TABLE.c.at)).all()
