# SPDX-License-Identifier: Apache-2.0
"""What may be wanted of an operation, by where it stands; the API, the console and dbflow-manage ask the same."""

from collections.abc import Callable

from dbflow import operations
from dbflow.db.models import Operation
from dbflow.operations import CANCEL, ENDED, SUSPEND, State

Refusal = str | None


RULES = {
    "cancel": "operation:update",
    "suspend": "operation:update",
    "resume": "operation:update",
    "retry": "operation:update",
    "release": "operation:release",
}
"""Verb -> the rule of the policy that must allow it."""


def actions(operation: Operation, may: Callable[[str], bool] = lambda rule: True) -> list[str]:
    """The verbs that are possible now, of those whose rule ``may`` allows."""
    return [verb for verb, rule in RULES.items() if may(rule) and refusal(operation, verb) is None]


def refusal(operation: Operation, verb: str) -> Refusal:
    """Why a verb is not possible now; None when it is."""
    return _REFUSALS[verb](operation)


def _cancel(operation: Operation) -> Refusal:
    if operation.state in ENDED:
        return _ended(operation)
    if _turns_back(operation):
        return "it is being undone already"
    return None if _cancellable(operation) else f"there is no way back from {operation.kind}"


def _suspend(operation: Operation) -> Refusal:
    if operation.state in ENDED:
        return _ended(operation)
    if _turns_back(operation):
        return "it is being undone, which is not suspended"
    if operation.state == State.SUSPENDED or operation.requested == SUSPEND:
        return "it is suspended already"
    return None


def _resume(operation: Operation) -> Refusal:
    if operation.state in ENDED:
        return _ended(operation)
    suspended = operation.state == State.SUSPENDED or operation.requested == SUSPEND
    return None if suspended else "it is not suspended"


def _retry(operation: Operation) -> Refusal:
    return None if operation.state == State.FAILED else "only what is parked as FAILED is tried again"


def _release(operation: Operation) -> Refusal:
    if operation.state in ENDED:
        return _ended(operation)
    if operation.state in (State.ACCEPTED, State.SUSPENDED):
        return "no conductor has claimed it"
    return "its claim is being given up already" if operation.released_epoch == operation.epoch else None


def _ended(operation: Operation) -> str:
    return "it is parked; retry it" if operation.state == State.FAILED else "it has ended"


def _turns_back(operation: Operation) -> bool:
    return operation.state == State.REVERTING or operation.requested == CANCEL


def _cancellable(operation: Operation) -> bool:
    try:
        return operations.catalog().kind(operation.kind).cancellable
    except LookupError:  # of a release that knew more kinds
        return False


_REFUSALS: dict[str, Callable[[Operation], Refusal]] = {
    "cancel": _cancel,
    "suspend": _suspend,
    "resume": _resume,
    "retry": _retry,
    "release": _release,
}
