# SPDX-License-Identifier: Apache-2.0
"""Operations that wait for people."""

import sqlalchemy as sa

from dbflow.db.models import Instance, Operation
from dbflow.operations import State


def for_nothing() -> sa.ColumnElement[bool]:
    """Whether an operation, joined with the instance that it is about if there is one, waits in vain: that was deleted
    meanwhile, and with it all that could not be undone."""
    return sa.and_(Operation.state == State.FAILED, sa.func.coalesce(Instance.deleted, sa.false()))
