# SPDX-License-Identifier: Apache-2.0
"""job list, conductor list, guest list"""

import argparse
import os
import socket
from typing import TYPE_CHECKING

import sqlalchemy as sa

from dbflow.cmd.manage.context import Context, ManageError
from dbflow.cmd.manage.verbs import Commands, Noun
from dbflow.db.models import Conductor, Health, Instance, Operation, utcnow
from dbflow.operations import ENDED, State

if TYPE_CHECKING:
    from dbflow.jobboard import JobView


def register(commands: Commands, shared: argparse.ArgumentParser) -> None:
    """Add the sub-commands."""
    jobs = Noun(commands, shared, "job", "the jobboard")
    jobs.verb("list", show_jobs, "jobs on the board and who holds them; operations that have none")
    conductors = Noun(commands, shared, "conductor", "the processes that run operations")
    conductors.verb("list", show_conductors, "conductors, as they report themselves")
    guests = Noun(commands, shared, "guest", "the agents beside the databases")
    guests.verb("list", show_guests, "instances and the last heartbeat of their guests")


def show_jobs(context: Context, _: argparse.Namespace) -> None:
    """The embedded board can't be seen from outside; then SQL says what is on it."""
    with context.read() as session:
        running = list(
            session.scalars(
                sa.select(Operation)
                .where(Operation.state.not_in([*ENDED, State.SUSPENDED]))
                .order_by(Operation.created)
            )
        )
    if context.conf.coordination.driver == "embedded":
        context.note(
            "The jobboard is inside dbflow-standalone. These operations have not ended: ACCEPTED ones wait for a "
            "conductor, the others have been claimed."
        )
        rows = [[op.id, op.kind, op.priority, op.created, op.conductor, op.state] for op in running]
    else:
        jobs = _jobs(context)
        states = {op.id: op.state for op in running}
        posted = {job.operation_id for job in jobs}
        rows = [
            [job.operation_id, job.kind, job.priority, job.posted, job.owner, states.get(job.operation_id)]
            for job in jobs
        ]
        rows += [[op.id, op.kind, op.priority, None, None, op.state] for op in running if op.id not in posted]
    context.table(["Operation", "Kind", "Priority", "Posted", "Owner", "State"], rows)


def _jobs(context: Context) -> "list[JobView]":
    from dbflow.jobboard import Boards, BoardUnavailable  # takes a second to import

    board = Boards(context.conf).board(f"dbflow-manage:{socket.gethostname()}:{os.getpid()}")
    try:
        board.connect()
        return board.jobs()
    except BoardUnavailable as error:
        raise ManageError(f"the jobboard does not answer: {error}") from None
    finally:
        board.close()


def show_conductors(context: Context, _: argparse.Namespace) -> None:
    """Silence is given in seconds: a conductor that was killed leaves its row behind for an hour."""
    now = utcnow()
    with context.read() as session:
        rows = [
            [c.name, c.host, c.pid, c.version, c.leader, c.flows, c.started, round((now - c.seen).total_seconds(), 1)]
            for c in session.scalars(sa.select(Conductor).order_by(Conductor.name))
        ]
    context.table(["Name", "Host", "Pid", "Version", "Leader", "Flows", "Started", "Silent"], rows)


def show_guests(context: Context, _: argparse.Namespace) -> None:
    """Every instance, also one whose guest was never heard."""
    now = utcnow()
    query = (
        sa.select(Instance, Health)
        .outerjoin(Health, Health.instance_id == Instance.id)
        .where(Instance.deleted.is_(False))
        .order_by(Instance.created, Instance.id)
    )
    with context.read() as session:
        rows = [
            [
                instance.id,
                instance.name,
                instance.task,
                health and health.service_status,
                health and health.datastore_version,
                health and health.agent_version,
                health and health.in_flight,
                health and round((now - health.seen).total_seconds(), 1),
            ]
            for instance, health in session.execute(query)
        ]
    context.table(["Instance", "Name", "Task", "Service", "Datastore", "Agent", "In flight", "Silent"], rows)
