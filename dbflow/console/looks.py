# SPDX-License-Identifier: Apache-2.0
"""How states look: a colour, a glyph and a word. Steps have those of the drawing; here are all the others."""

import dataclasses
import datetime

from dbflow.console.drawing import LOOKS
from dbflow.operations import State
from dbflow.status import BackupState, Service, Task, operating_status, public_status


@dataclasses.dataclass(frozen=True)
class Look:
    """``tone`` is the name of the colour in the style sheets."""

    word: str
    glyph: str
    tone: str


OPERATIONS = {
    State.ACCEPTED: Look("accepted", "○", "pending"),
    State.RUNNING: Look("running", "▶", "running"),
    State.REVERTING: Look("reverting", "◀", "reverting"),
    State.SUSPENDED: Look("suspended", "‖", "reverted"),
    State.SUCCESS: Look("success", "✔", "success"),
    State.REVERTED: Look("reverted", "↺", "reverted"),
    State.FAILED: Look("failed", "✘", "failure"),
}
GOOD, BAD, WARN, DULL = ("✔", "success"), ("✘", "failure"), ("‼", "reverted"), ("○", "pending")
_BUSY = ("▶", "running")
_INSTANCES = {"ACTIVE": GOOD, "ERROR": BAD, "RESTART_REQUIRED": WARN}
_SERVICES = {
    Service.HEALTHY: GOOD,
    Service.RUNNING: WARN,
    Service.CRASHED: BAD,
    Service.SHUTDOWN: DULL,
}
_BACKUPS = {
    BackupState.NEW: DULL,
    BackupState.COMPLETED: GOOD,
    BackupState.RESTORED: GOOD,
    BackupState.FAILED: BAD,
    BackupState.DELETE_FAILED: BAD,
}


def of_operation(state: str) -> Look:
    """Of an operation's state."""
    return OPERATIONS.get(State(state), Look(state.lower(), "?", "pending"))


def of_step(state: str) -> Look:
    """Of a step's."""
    look = LOOKS.get(state, LOOKS["PENDING"])
    return Look(look.word, look.glyph, state.lower().replace("_", "-"))


def of_instance(task: str) -> Look:
    """Of the API's ``status``."""
    word = public_status(task)
    return Look(word.lower().replace("_", " "), *_INSTANCES.get(word, _BUSY))


def of_backup(state: str, *, deleting: bool = False) -> Look:
    """Of a backup's state; one that is being deleted keeps it until it is gone."""
    if deleting:
        return Look("deleting", *_BUSY)
    return Look(state.lower().replace("_", " "), *_BACKUPS.get(BackupState(state), _BUSY))


def of_service(
    task: str, service: str | None, seen: datetime.datetime | None, now: datetime.datetime, expiry: float
) -> Look:
    """Of a guest: what it said last, or that it is silent."""
    if seen is None or service is None:
        return Look("never heard", *(DULL if task not in (Task.NONE, Task.RESTART_REQUIRED) else WARN))
    if (now - seen).total_seconds() > expiry:
        return Look("silent", *BAD)
    return Look(str(service).lower(), *_SERVICES.get(Service(service), DULL))


def operating(row: object, now: datetime.datetime, expiry: float) -> str:
    """The API's ``operating_status`` of a row with task, service_status and seen."""
    return operating_status(row.task, row.service_status, row.seen, now, expiry)  # type: ignore[attr-defined]
