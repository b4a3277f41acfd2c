# SPDX-License-Identifier: Apache-2.0
"""Quotas. What is in use is counted from the rows themselves, so nothing can leak; a locked row per project
makes the count and the insert one step, so two requests at the limit can't both win."""

from collections.abc import Mapping

import sqlalchemy as sa
from oslo_config import cfg
from sqlalchemy.dialects import mysql, sqlite
from sqlalchemy.orm import Session

from dbflow.db.models import Backup, Instance, Quota

RESOURCES = ("instances", "ram", "volumes", "backups")
UNLIMITED = -1
_LOCK = ""
"""The resource name of the row that is locked."""

_USAGE = sa.select(
    sa.func.count(),
    sa.func.coalesce(sa.func.sum(Instance.ram), 0),
    sa.func.coalesce(sa.func.sum(Instance.quota_volume), 0),
    sa.select(sa.func.count())
    .where(Backup.project_id == sa.bindparam("project"), Backup.deleted == sa.false(), Backup.internal == sa.false())
    .scalar_subquery(),
).where(Instance.project_id == sa.bindparam("project"), Instance.deleted == sa.false())


class QuotaExceeded(Exception):
    """``resources`` names what there is not enough of."""

    def __init__(self, resources: list[str]) -> None:
        super().__init__(f"Quota exceeded for resources: {resources}")
        self.resources = resources


def limits(session: Session, conf: cfg.ConfigOpts, project_id: str) -> dict[str, int]:
    """Resource -> limit (-1: none) of a project."""
    own = session.execute(sa.select(Quota.resource, Quota.hard_limit).where(Quota.project_id == project_id))
    defaults = {resource: conf.quota[f"max_{resource}_per_tenant"] for resource in RESOURCES}
    return defaults | {resource: limit for resource, limit in own if resource != _LOCK}


def usage(session: Session, project_id: str) -> dict[str, int]:
    """Resource -> what a project has now: instances and backups in pieces, ram in MiB, volumes in GiB."""
    count, ram, volumes, backups = session.execute(_USAGE, {"project": project_id}).one()
    return {"instances": count, "ram": int(ram), "volumes": int(volumes or 0), "backups": backups}


def reserve(session: Session, conf: cfg.ConfigOpts, project_id: str, wanted: Mapping[str, int]) -> None:
    """Lock the project's quota until the end of the transaction and see that ``wanted`` more fits.

    The caller adds the rows in the same transaction. Raises QuotaExceeded.
    """
    lock(session, project_id)
    allowed, used = limits(session, conf, project_id), usage(session, project_id)
    over = sorted(
        resource
        for resource, more in wanted.items()
        if more > 0 and allowed[resource] != UNLIMITED and used[resource] + more > allowed[resource]
    )
    if over:
        raise QuotaExceeded(over)


def set_limits(session: Session, project_id: str, new: Mapping[str, int]) -> None:
    """Give a project limits of its own; KeyError names a resource that does not exist."""
    lock(session, project_id)
    for resource, limit in new.items():
        if resource not in RESOURCES:
            raise KeyError(resource)
        session.merge(Quota(project_id=project_id, resource=resource, hard_limit=limit))


def lock(session: Session, project_id: str) -> None:
    """Whoever else locks the project waits until the end of this transaction."""
    row = {"project_id": project_id, "resource": _LOCK, "hard_limit": UNLIMITED}
    if session.get_bind().dialect.name == "sqlite":
        # A write transaction of SQLite (BEGIN IMMEDIATE) has the whole database already.
        session.execute(sqlite.insert(Quota).values(row).on_conflict_do_nothing())
        return
    # The upsert takes the row's exclusive lock, whether it was there or not, and holds it until the commit.
    upsert = mysql.insert(Quota).values(row)
    session.execute(upsert.on_duplicate_key_update(hard_limit=UNLIMITED))
