# SPDX-License-Identifier: Apache-2.0
"""The two layers an instance's status is made of, and the words users see (Trove's, to the letter)."""

import datetime
import enum


class Task(enum.StrEnum):
    """What the control plane is doing with an instance."""

    NONE = "NONE"
    BUILDING = "BUILDING"
    JOINING = "JOINING"
    """A new replica that has all that its source has, and counts as one to wait for; shown as it was before."""
    REBOOTING = "REBOOTING"
    RESIZING = "RESIZING"
    UPGRADING = "UPGRADING"
    MIGRATING = "MIGRATING"
    """It is moved to another host; shown as ACTIVE."""
    RESTART_REQUIRED = "RESTART_REQUIRED"
    PROMOTING = "PROMOTING"
    EJECTING = "EJECTING"
    DETACHING = "DETACHING"
    UPDATING = "UPDATING"
    """Who may reach it, or what modules it has, is being changed; shown as ACTIVE."""
    STOPPING = "STOPPING"
    BACKING_UP = "BACKING_UP"
    DELETING = "DELETING"
    ERROR = "ERROR"


class Service(enum.StrEnum):
    """What the guest says of its database server."""

    NEW = "NEW"
    BUILDING = "BUILDING"
    HEALTHY = "HEALTHY"
    """Answers a query."""
    RUNNING = "RUNNING"
    """The process is there but does not answer a query."""
    SHUTDOWN = "SHUTDOWN"
    """Stopped on purpose."""
    CRASHED = "CRASHED"
    UNKNOWN = "UNKNOWN"


class BackupState(enum.StrEnum):
    """Where a backup stands: Trove's words."""

    NEW = "NEW"
    BUILDING = "BUILDING"
    SAVING = "SAVING"
    """All of it is in the object store; it is looked at once more."""
    COMPLETED = "COMPLETED"
    FAILED = "FAILED"
    DELETE_FAILED = "DELETE_FAILED"
    RESTORED = "RESTORED"
    """Made elsewhere, registered here."""


USABLE = frozenset({BackupState.COMPLETED, BackupState.RESTORED})
"""States of backups that an instance can be made from."""
BACKING_UP = frozenset({BackupState.NEW, BackupState.BUILDING, BackupState.SAVING})

_TASK_WORDS = {
    Task.ERROR: "ERROR",
    Task.BUILDING: "BUILD",
    Task.JOINING: "BUILD",
    Task.REBOOTING: "REBOOT",
    Task.RESIZING: "RESIZE",
    Task.UPGRADING: "UPGRADE",
    Task.RESTART_REQUIRED: "RESTART_REQUIRED",
    Task.PROMOTING: "PROMOTE",
    Task.EJECTING: "EJECT",
    Task.DETACHING: "DETACH",
    Task.BACKING_UP: "BACKUP",
    Task.DELETING: "SHUTDOWN",
    Task.STOPPING: "SHUTDOWN",
}

_SERVICE_WORDS: dict[str, str] = {
    Service.NEW: "NEW",
    Service.BUILDING: "BUILD",
    Service.HEALTHY: "HEALTHY",
    Service.RUNNING: "ACTIVE",
    Service.SHUTDOWN: "SHUTDOWN",
    Service.CRASHED: "SHUTDOWN",
    Service.UNKNOWN: "ERROR",
}


def public_status(task: str) -> str:
    """The ``status`` of the API: ACTIVE when nothing is going on."""
    return _TASK_WORDS.get(Task(task), "ACTIVE")


def operating_status(
    task: str,
    service: str | None,
    seen: datetime.datetime | None,
    now: datetime.datetime,
    expiry: float,
) -> str:
    """The ``operating_status`` of the API: the guest's last word while nothing is going on, ERROR once it has
    been silent for ``expiry`` seconds, "" while an operation runs."""
    if task == Task.RESTART_REQUIRED:
        return "RESTART_REQUIRED"
    if task != Task.NONE:
        return ""
    if service is None or seen is None:
        return ""
    if (now - seen).total_seconds() > expiry:
        return "ERROR"
    return _SERVICE_WORDS.get(service, "ERROR")
