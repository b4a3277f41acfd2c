# SPDX-License-Identifier: Apache-2.0
"""The death of an instance's machine, as the control plane sees it: silence."""

import contextlib
import datetime

import psutil
import sqlalchemy as sa

from dbflow.db.models import Health, utcnow
from tests.functional.stack.base import Stack


def die(stack: Stack, instance_id: str) -> None:
    """The database is killed, and the agent falls silent; what keeps the cloud takes it to be alive."""
    agent, database = stack.agent(instance_id), stack.database_server(instance_id)
    assert agent is not None
    assert database is not None
    agent.suspend()
    database.kill()


def revive(stack: Stack, instance_id: str) -> None:
    """Where it was not fenced, it only slept."""
    agent = stack.agent(instance_id)
    if agent is not None and agent.status() == psutil.STATUS_STOPPED:
        agent.resume()


def age(stack: Stack, instance_id: str) -> None:
    """Its last heartbeat was long ago."""
    long_ago = utcnow() - datetime.timedelta(hours=1)
    with contextlib.closing(stack.database()) as database, database.write() as session:
        session.execute(sa.update(Health).where(Health.instance_id == instance_id).values(seen=long_ago))
