# SPDX-License-Identifier: Apache-2.0
"""The death of an instance's machine, as the control plane sees it: silence."""

import contextlib
import datetime

import psutil
import sqlalchemy as sa

from dbflow.db.models import Health, utcnow
from tests.functional.stack.base import Stack
from tests.functional.stack.client import PATIENCE
from tests.servers.pausing import pause
from tests.waiting import wait_for


def die(stack: Stack, instance_id: str) -> None:
    """The database is killed, and the agent falls silent; what keeps the cloud takes it to be alive."""
    agent, database = stack.agent(instance_id), stack.database_server(instance_id)
    assert agent is not None
    assert database is not None
    pause(agent.pid)  # so that it does not find the database dead
    database.kill()


def revive(stack: Stack, instance_id: str) -> None:
    """Where it was not fenced, it only slept."""
    agent = stack.agent(instance_id)
    if agent is not None and agent.status() == psutil.STATUS_STOPPED:
        agent.resume()


def age(stack: Stack, instance_id: str) -> None:
    """Its last heartbeat was long ago. What it said before it died is written down first, as what others say later."""
    now, long_ago = utcnow(), utcnow() - datetime.timedelta(hours=1)
    later = sa.select(Health.instance_id).where(Health.instance_id != instance_id, Health.seen > now)
    with contextlib.closing(stack.database()) as database:

        def others_were_heard() -> bool:
            with database.read() as session:
                return session.scalar(later.limit(1)) is not None

        wait_for(others_were_heard, PATIENCE, "a heartbeat of another instance")
        with database.write() as session:
            session.execute(sa.update(Health).where(Health.instance_id == instance_id).values(seen=long_ago))
