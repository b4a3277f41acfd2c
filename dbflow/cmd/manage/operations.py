# SPDX-License-Identifier: Apache-2.0
"""operation list | show | cancel | suspend | resume | retry | release"""

import argparse
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from dbflow import operations, verbs
from dbflow.cmd.manage.context import Context, ManageError, find_operation
from dbflow.cmd.manage.verbs import Commands, Noun
from dbflow.db.models import Operation
from dbflow.operations import ENDED, State
from dbflow.persistence.steps import steps_of
from dbflow.services.verbs import actions, refusal

_ABOUT = {
    "cancel": "stop it and undo what it has done",
    "suspend": "stop it between two steps, to go on later",
    "resume": "let a suspended one go on",
    "retry": "let one that could not be undone try again",
    "release": "let the conductor that runs it give it up, for another to go on",
}


def register(commands: Commands, shared: argparse.ArgumentParser) -> None:
    """Add the sub-commands."""
    noun = Noun(commands, shared, "operation", "what users asked for")
    listing = noun.verb("list", show_list, "operations, the newest first")
    listing.add_argument("--state", choices=[str(state) for state in State])
    listing.add_argument("--kind", help="such as instance.create")
    listing.add_argument("--project", help="id of a project")
    listing.add_argument("--target", help="id of an instance")
    listing.add_argument("--running", action="store_true", help="only those that have not ended")
    listing.add_argument("--limit", type=int, default=50, help="at most this many (default: %(default)s)")
    noun.verb("show", show, "one operation and its steps").add_argument("id", help=_ID)
    for name, about in _ABOUT.items():
        verb = noun.verb(name, act, about)
        verb.add_argument("id", help=_ID)
        verb.set_defaults(verb=name)


_FIELDS = (
    *("id", "kind", "version", "target_type", "target_id", "project_id", "user_id", "request_id"),
    *("priority", "state", "requested", "after_id", "epoch", "attempts", "conductor", "flow_uuid"),
    *("error", "created", "started", "finished"),
)
_ID = "id of the operation, the beginning of it, or the id of the instance it works on"


def show_list(context: Context, arguments: argparse.Namespace) -> None:
    """Filters are combined."""
    query = sa.select(Operation).order_by(Operation.created.desc(), Operation.id).limit(arguments.limit)
    wanted = {"state": arguments.state, "kind": arguments.kind, "project_id": arguments.project}
    for column, value in (wanted | {"target_id": arguments.target}).items():
        if value is not None:
            query = query.where(getattr(Operation, column) == value)
    if arguments.running:
        query = query.where(Operation.state.not_in(ENDED))
    with context.read() as session:
        rows = [
            [op.id, op.kind, op.target_id, op.project_id, op.state, op.conductor, op.created, op.finished]
            for op in session.scalars(query)
        ]
    context.table(["Id", "Kind", "Target", "Project", "State", "Conductor", "Created", "Finished"], rows)


def show(context: Context, arguments: argparse.Namespace) -> None:
    """Arguments stay sealed: they may hold passwords."""
    with context.read() as session:
        operation = find_operation(session, arguments.id)
        steps = steps_of(session, operation.flow_uuid, context.keyring)
    fields: dict[str, Any] = {name: getattr(operation, name) for name in _FIELDS}
    fields["actions"] = actions(operation)
    if context.as_json:
        context.json(fields | {"steps": [{"name": step.name, **step.as_dict()} for step in steps]})
        return
    context.record(fields | {"actions": ", ".join(fields["actions"]) or "none"})
    context.table(
        ["Step", "State", "Progress", "Attempt", "Started", "Finished", "Failure"],
        [[s.name, s.state, f"{s.progress:.0%}", s.attempt, s.started, s.finished, s.failure] for s in steps],
    )


def act(context: Context, arguments: argparse.Namespace) -> None:
    """Ask for it in SQL, where the conductor that runs the operation looks; the leader posts what must be posted."""
    verb: str = arguments.verb
    with context.write() as session:
        operation = find_operation(session, arguments.id, lock=True)
        why_not = refusal(operation, verb)
        if why_not is not None:
            raise ManageError(
                f"operation {operation.id} is {operation.state} and can't {verb}: {why_not} "
                f"(possible: {', '.join(actions(operation)) or 'nothing'})"
            )
        _ask(session, context, operation, verb)
        session.flush()
        context.record({"id": operation.id, "state": operation.state, "requested": operation.requested})


def _ask(session: Session, context: Context, operation: Operation, verb: str) -> None:
    try:
        verbs.ask(session, lambda: context.keyring, operation, verb)
    except (operations.Busy, LookupError) as error:
        raise ManageError(str(error)) from None
