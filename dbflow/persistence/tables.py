# SPDX-License-Identifier: Apache-2.0
"""TaskFlow's tables, column by column, with what they lack: indexes on every back end, long texts, microseconds.

Results and failures are sealed (they hold arguments, among them passwords); ``meta`` is plain, so that progress can
be read without a key.
"""

import sqlalchemy as sa
from taskflow import states
from taskflow.persistence import models

from dbflow.db.models import Base, LongText, Time, utcnow

METADATA = Base.metadata
_UUID = sa.String(64)

LOGBOOKS = sa.Table(
    "logbooks",
    METADATA,
    sa.Column("uuid", _UUID, primary_key=True),
    sa.Column("created_at", Time, default=utcnow, index=True),
    sa.Column("updated_at", Time, onupdate=utcnow),
    sa.Column("name", sa.String(255)),
    sa.Column("meta", sa.JSON),
)
"""One a flow, named after the operation."""

FLOWS = sa.Table(
    "flowdetails",
    METADATA,
    sa.Column("uuid", _UUID, primary_key=True),
    sa.Column("parent_uuid", _UUID, sa.ForeignKey("logbooks.uuid", ondelete="CASCADE"), index=True),
    sa.Column("created_at", Time, default=utcnow),
    sa.Column("updated_at", Time, onupdate=utcnow),
    sa.Column("name", sa.String(255)),
    sa.Column("state", sa.String(255)),
    sa.Column("meta", sa.JSON),
)

ATOMS = sa.Table(
    "atomdetails",
    METADATA,
    sa.Column("uuid", _UUID, primary_key=True),
    sa.Column("parent_uuid", _UUID, sa.ForeignKey("flowdetails.uuid", ondelete="CASCADE"), index=True),
    sa.Column("created_at", Time, default=utcnow),
    sa.Column("updated_at", Time, onupdate=utcnow),
    sa.Column("name", sa.String(255)),
    sa.Column("version", sa.String(64)),
    sa.Column("state", sa.String(255)),
    sa.Column("intention", sa.Enum(*states.INTENTIONS, name="intentions")),
    sa.Column("atom_type", sa.Enum(*models.ATOM_TYPES, name="atom_types")),
    sa.Column("meta", sa.JSON),
    sa.Column("results", LongText),
    sa.Column("failure", LongText),
    sa.Column("revert_results", LongText),
    sa.Column("revert_failure", LongText),
)
