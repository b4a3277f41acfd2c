# SPDX-License-Identifier: Apache-2.0
"""What all tables have in common."""

import datetime
import uuid
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import mysql
from sqlalchemy.orm import DeclarativeBase

# MySQL's DATETIME keeps whole seconds unless told otherwise; the order of operations needs more.
Time = sa.DateTime().with_variant(mysql.DATETIME(fsp=6), "mysql", "mariadb")
LongText = sa.Text().with_variant(mysql.LONGTEXT(), "mysql", "mariadb")


def utcnow() -> datetime.datetime:
    """Now, UTC, without a zone (as every column here keeps it)."""
    return datetime.datetime.now(datetime.UTC).replace(tzinfo=None)


def new_id() -> str:
    """A fresh UUID as text."""
    return str(uuid.uuid4())


class Base(DeclarativeBase):
    """All of dbflow's tables but the flow tables, whose layout is TaskFlow's (see persistence)."""

    type_annotation_map = {
        str: sa.String(255),
        datetime.datetime: Time,
        dict[str, Any]: sa.JSON,
        list[Any]: sa.JSON,
    }


Id = sa.String(36)
