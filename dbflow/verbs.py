# SPDX-License-Identifier: Apache-2.0
"""What may be done with an operation that was accepted: cancel, suspend, resume, retry, release it."""

from collections.abc import Callable, Sequence

from sqlalchemy import ColumnElement, or_, select, update
from sqlalchemy.orm import Session
from taskflow import states

from dbflow import authorities
from dbflow.crypto import BadSeal, Keyring
from dbflow.db.backups import descendants
from dbflow.db.models import Backup, Configuration, Instance, Module, Operation, utcnow
from dbflow.operations import CANCEL, SUSPEND, Busy, Kind, State, catalog
from dbflow.persistence.tables import ATOMS, FLOWS
from dbflow.status import Task


def cancel(session: Session, operation: Operation) -> None:
    """Ask for an operation that has not ended to be undone; the caller has its row locked.

    A suspended one runs again for that. Whoever finds it ACCEPTED after the commit posts its job.
    """
    operation.requested, operation.since = CANCEL, utcnow()
    if operation.state == State.SUSPENDED:
        operation.state = State.ACCEPTED


def suspend(session: Session, operation: Operation) -> None:
    """Ask a running operation to stop after the steps in progress."""
    operation.requested = SUSPEND


def resume(session: Session, operation: Operation) -> None:
    """Let a suspended operation go on, or take the wish to suspend it back. Post its job after the commit."""
    operation.requested = None
    if operation.state == State.SUSPENDED:
        operation.state, operation.since = State.ACCEPTED, utcnow()


def retry(session: Session, operation: Operation) -> None:
    """Let a parked (FAILED) operation go on: what could not be undone is tried again, and one that was given up
    half-way is undone too, since nothing keeps room for its going forward. What has no way back goes forward.

    Raises Busy when another operation has its target, LookupError when the target is gone. Post its job after the
    commit.
    """
    kind = catalog().kind(operation.kind)
    _LOCK_AGAIN[operation.target_type](session, operation, kind)
    operation.state, operation.error = State.ACCEPTED, None
    operation.requested = CANCEL if kind.cancellable else None
    operation.finished, operation.since, operation.attempts = None, utcnow(), 0
    session.execute(update(FLOWS).where(FLOWS.c.uuid == operation.flow_uuid).values(state=states.SUSPENDED))
    stuck = (ATOMS.c.parent_uuid == operation.flow_uuid) & (ATOMS.c.state == states.REVERT_FAILURE)
    for atom_uuid, meta in session.execute(select(ATOMS.c.uuid, ATOMS.c.meta).where(stuck)).all():
        # A new attempt: asked for the old one, a guest would answer once more that it failed.
        again = {**meta, "attempt": meta.get("attempt", 0) + 1}
        values = {"state": states.REVERTING, "revert_failure": None, "meta": again}
        session.execute(update(ATOMS).where(ATOMS.c.uuid == atom_uuid).values(values))


def ask(session: Session, keyring: Callable[[], Keyring], operation: Operation, verb: str) -> None:
    """Do one of :data:`VERBS`, if nothing that was done since stands against it. Raises Busy, LookupError."""
    if verb == "retry":
        _in_its_turn(session, operation)
        _not_overtaken(session, keyring, operation)
    VERBS[verb](session, operation)


def _not_overtaken(session: Session, keyring: Callable[[], Keyring], operation: Operation) -> None:
    """Undoing an old change of a server's configuration, or of a set of replicas, would undo what was changed since;
    undoing an upgrade, what was written since."""
    overtaken_by = (
        _newer_set(session, operation)
        or newer_data(session, operation)
        or _newer_configuration(session, keyring, operation)
    )
    if overtaken_by is not None:
        raise LookupError(f"operation {overtaken_by} has changed what it would go back to.")


def _in_its_turn(session: Session, operation: Operation) -> None:
    """The end of one that was parked earlier would take the ERROR away that a later one has left. An upgrade that is
    undone leaves nothing of what was tried after it."""
    if operation.kind == "instance.upgrade":
        return
    mine = _instances(operation)
    stuck = set(session.scalars(select(Instance.id).where(Instance.id.in_(mine), Instance.task == Task.ERROR)))
    if not stuck:
        return
    later = select(Operation.id, Operation.target_id, Operation.members).where(
        Operation.state == State.FAILED,
        Operation.project_id == operation.project_id,
        Operation.created > operation.created,
    )
    for one in session.execute(later.order_by(Operation.created.desc())):
        if stuck & {one.target_id, *(one.members or ())}:
            raise LookupError(f"operation {one.id} of the same instance was parked later: retry that one first.")


def _newer_set(session: Session, operation: Operation) -> str | None:
    kinds = _OVERTAKEN_BY.get(operation.kind)
    if kinds is None:
        return None
    later = select(Operation).where(
        Operation.kind.in_(kinds),
        Operation.state != State.REVERTED,
        Operation.project_id == operation.project_id,
        Operation.id != operation.id,
        or_(Operation.finished.is_(None), Operation.finished > operation.created),
    )
    mine = _instances(operation)
    return next((one.id for one in session.scalars(later) if mine & _instances(one)), None)


def _instances(operation: Operation) -> set[str]:
    return {operation.target_id, *(operation.members or ())}


_NEW_PARTS = ("instance.promote", "instance.eject", "instance.detach")
_OVERTAKEN_BY = {
    **dict.fromkeys(authorities.CHANGES, authorities.CHANGES),
    "instance.replicate": ("instance.replicate", *_NEW_PARTS),
    **dict.fromkeys(_NEW_PARTS, _NEW_PARTS),
    "instance.settle_replicas": ("instance.replicate", *_NEW_PARTS),
    "instance.rebuild": ("instance.rebuild", "instance.upgrade"),
    "instance.migrate": ("instance.migrate",),
}
"""Kinds that change a set of replicas, its certificates or a machine -> those after which it is not what they go back
to."""


_STARTING_NOTHING = ("instance.update_access", "instance.resize_volume", "instance.settle_replicas")
"""Kinds whose success says nothing of whether the server was started for its users: they are done with a stopped one,
too."""


def newer_data(session: Session, operation: Operation) -> str | None:
    """The operation since which an upgrade, which goes back to a copy of everything, can't be undone any more: whatever
    has ended well after it had the server serve."""
    if operation.kind != "instance.upgrade":
        return None
    later = select(Operation.id, Operation.target_id, Operation.members).where(
        Operation.target_type == "instance",
        Operation.kind.not_in(_STARTING_NOTHING),
        Operation.state == State.SUCCESS,
        Operation.project_id == operation.project_id,
        Operation.created > operation.created,
    )
    mine = operation.target_id
    return next((one.id for one in session.execute(later) if mine in (one.target_id, *(one.members or ()))), None)


def _newer_configuration(session: Session, keyring: Callable[[], Keyring], operation: Operation) -> str | None:
    if operation.kind not in _CONFIGURING:
        return None
    try:
        members = keyring().unseal(operation.arguments).get("instances") or ()
    except BadSeal:
        raise LookupError("it is sealed with a key that is not here.") from None
    instances = [one["id"] for one in members] or [operation.target_id]
    groups = select(Instance.configuration_id).where(Instance.id.in_(instances))
    targets = Operation.target_id.in_([*instances, operation.target_id]) | Operation.target_id.in_(groups)
    later = select(Operation.id).where(
        targets,
        Operation.kind.in_(_CONFIGURING),
        Operation.state == State.SUCCESS,
        Operation.created > operation.created,
    )
    return session.scalar(later.order_by(Operation.created.desc()).limit(1))


_CONFIGURING = (
    "configuration.apply",
    "instance.attach_configuration",
    "instance.detach_configuration",
    "instance.resize_flavor",
)
"""Kinds that write a server's configuration, and write it back when they are undone."""


def release(session: Session, operation: Operation) -> None:
    """Let whoever holds the operation's claim give it up, and leave the flow to the next one where it is. The wish
    names the claim, so a later one is not meant by it. A conductor that is dead hears nothing, and need not: its
    claims end with its session."""
    operation.released_epoch = operation.epoch


def _lock_instance_again(session: Session, operation: Operation, kind: Kind) -> None:
    wanted = _instances(operation)
    found = _take_again(session, operation, Instance.id.in_(wanted))
    if gone := wanted - {instance.id for instance in found}:
        raise LookupError(f"instance {min(gone)} is gone.")
    for instance in found:
        # The source of what is made works meanwhile.
        if instance.id == operation.target_id or instance.task == Task.ERROR:
            instance.task = kind.task


def _lock_configuration_again(session: Session, operation: Operation, kind: Kind) -> None:
    group = session.get(Configuration, operation.target_id, with_for_update=True)
    if group is None:
        raise LookupError(f"configuration {operation.target_id} is gone.")
    if group.operation_id not in (None, operation.id):
        raise Busy(group.id, group.operation_id, "Configuration")
    group.operation_id = operation.id
    for instance in _take_again(session, operation, Instance.configuration_id == group.id):
        instance.task = kind.task


def _take_again(session: Session, operation: Operation, chosen: ColumnElement[bool]) -> Sequence[Instance]:
    instances = select(Instance).where(chosen, Instance.deleted.is_(False)).order_by(Instance.id)
    found = session.scalars(instances.with_for_update()).all()
    if not found:
        raise LookupError(f"{operation.target_type} {operation.target_id} is gone.")
    for instance in found:
        if instance.operation_id not in (None, operation.id):
            raise Busy(instance.id, instance.operation_id)
        instance.operation_id = operation.id
    return found


def _lock_backups_again(session: Session, operation: Operation, kind: Kind) -> None:
    backup = session.get(Backup, operation.target_id, with_for_update=True)
    if backup is None or backup.deleted:
        raise LookupError(f"backup {operation.target_id} is gone.")
    for one in (backup, *descendants(session, backup, lock=True)):
        if one.operation_id not in (None, operation.id):
            raise Busy(one.id, one.operation_id, "Backup")
        one.operation_id = operation.id


def _lock_module_again(session: Session, operation: Operation, kind: Kind) -> None:
    module = session.get(Module, operation.target_id, with_for_update=True)
    if module is None or module.deleted:
        raise LookupError(f"module {operation.target_id} is gone.")
    if module.operation_id not in (None, operation.id):
        raise Busy(module.id, module.operation_id, "Module")
    module.operation_id = operation.id


_LOCK_AGAIN: dict[str, Callable[[Session, Operation, Kind], None]] = {
    "instance": _lock_instance_again,
    "configuration": _lock_configuration_again,
    "backup": _lock_backups_again,
    "module": _lock_module_again,
}
"""Target type -> how a parked operation of it gets its lock back."""

VERBS: dict[str, Callable[[Session, Operation], None]] = {
    "cancel": cancel,
    "suspend": suspend,
    "resume": resume,
    "retry": retry,
    "release": release,
}
"""What people may do with an operation, in the API, the console and dbflow-manage; see :func:`ask`."""
