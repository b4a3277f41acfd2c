# SPDX-License-Identifier: Apache-2.0
"""job list, conductor list | drain | undrain, guest list"""

import argparse
import datetime
import os
import socket
from typing import TYPE_CHECKING

from dbflow.cmd.manage.context import Context, ManageError, explained
from dbflow.cmd.manage.verbs import Commands, Noun
from dbflow.db.models import utcnow
from dbflow.services.errors import ServiceError

if TYPE_CHECKING:
    from dbflow.jobboard import JobView


_DRAINS = (
    ("drain", True, "let one finish what it runs and claim nothing more"),
    ("undrain", False, "let one that drains claim again"),
)


def register(commands: Commands, shared: argparse.ArgumentParser) -> None:
    """Add the sub-commands."""
    jobs = Noun(commands, shared, "job", "the jobboard")
    jobs.verb("list", show_jobs, "jobs on the board and who holds them; operations that have none")
    conductors = Noun(commands, shared, "conductor", "the processes that run operations")
    conductors.verb("list", show_conductors, "conductors, as they report themselves")
    for name, draining, about in _DRAINS:
        verb = conductors.verb(name, drain, about)
        verb.add_argument("name", help="as conductor list has it")
        verb.set_defaults(draining=draining)
    guests = Noun(commands, shared, "guest", "the agents beside the databases")
    guests.verb("list", show_guests, "instances and the last heartbeat of their guests")


def show_jobs(context: Context, _: argparse.Namespace) -> None:
    """The embedded board can't be seen from outside; then SQL says what is on it."""
    from dbflow.services import fleet  # takes a second to import

    columns = ["Operation", "Kind", "Priority", "Posted", "Owner", "State"]
    if context.conf.coordination.driver == "embedded":
        context.note(
            "The jobboard is inside dbflow-standalone. These operations have not ended: ACCEPTED ones wait for a "
            "conductor, the others have been claimed."
        )
        with context.read() as session:
            running = fleet.running(session)
        rows = [[op.id, op.kind, op.priority, op.created, op.conductor, op.state] for op in running]
    else:
        posted = _jobs(context)
        with context.read() as session:
            jobs = fleet.compare(session, posted)
        rows = [[job.operation_id, job.kind, job.priority, job.posted, job.owner, job.state] for job in jobs]
    context.table(columns, rows)


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
    from dbflow.services import fleet

    with context.read() as session:
        rows = [
            [
                *(c.name, c.host, c.pid, c.version, fleet.leads(c, now), c.draining, c.flows, c.orphans, c.started),
                _silence(now, c.seen),
            ]
            for c, _ in fleet.conductors(session)
        ]
    columns = ["Name", "Host", "Pid", "Version", "Leader", "Draining", "Flows", "Orphans", "Started", "Silent"]
    context.table(columns, rows)


def drain(context: Context, arguments: argparse.Namespace) -> None:
    """In SQL, where the conductor looks about every second."""
    from dbflow.services import fleet

    try:
        with explained():
            fleet.drain(context.database, arguments.name, arguments.draining)
    except ServiceError as error:
        raise ManageError(str(error)) from None
    context.record({"name": arguments.name, "draining": arguments.draining})


def _silence(now: datetime.datetime, seen: datetime.datetime) -> float:
    return round((now - seen).total_seconds(), 1)


def show_guests(context: Context, _: argparse.Namespace) -> None:
    """Every instance, also one whose guest was never heard."""
    from dbflow.services import fleet

    now = utcnow()
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
            for instance, health in fleet.guests(session)[0]
        ]
    context.table(["Instance", "Name", "Task", "Service", "Datastore", "Agent", "In flight", "Silent"], rows)
