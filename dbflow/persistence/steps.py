# SPDX-License-Identifier: Apache-2.0
"""The live state of a flow's steps, read without loading the flow."""

import dataclasses
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session
from taskflow.types.failure import Failure

from dbflow.crypto import BadSeal, Keyring
from dbflow.persistence.rows import failure_text
from dbflow.persistence.tables import ATOMS

_INTERNAL = "_TaskFlow_INJECTOR"


@dataclasses.dataclass(frozen=True)
class Step:
    """One task of a flow, as it stands."""

    name: str
    state: str
    """PENDING, RUNNING, SUCCESS, FAILURE, REVERTING, REVERTED, REVERT_FAILURE, RETRYING or IGNORE."""
    intention: str
    """EXECUTE, REVERT, RETRY or IGNORE: what is to be done with it."""
    progress: float
    """0 to 1"""
    attempt: int
    """How often it was begun; reverting counts too."""
    started: str | None
    """ISO 8601, UTC"""
    finished: str | None
    failure: str | None
    """In words; needs a keyring to be read."""

    def as_dict(self) -> dict[str, Any]:
        """All but the name: what the drawings take as a node's state."""
        data = dataclasses.asdict(self)
        del data["name"]
        return data


def steps_of(session: Session, flow_uuid: str, keyring: Keyring | None = None) -> list[Step]:
    """The steps in the order of their start, those not yet begun last; failures only with a keyring."""
    columns = [ATOMS.c.name, ATOMS.c.state, ATOMS.c.intention, ATOMS.c.meta]
    if keyring is not None:
        columns += [ATOMS.c.failure, ATOMS.c.revert_failure]
    rows = session.execute(
        select(*columns).where(ATOMS.c.parent_uuid == flow_uuid, ATOMS.c.name != _INTERNAL)
    ).mappings()
    steps = [_step(dict(row), keyring) for row in rows]
    return sorted(steps, key=lambda step: (step.started is None, step.started or "", step.name))


def _step(row: dict[str, Any], keyring: Keyring | None) -> Step:
    meta = row["meta"] or {}
    return Step(
        name=row["name"],
        state=row["state"],
        intention=row["intention"],
        progress=float(meta.get("progress", 0.0)),
        attempt=int(meta.get("attempt", 0)),
        started=meta.get("started"),
        finished=meta.get("finished"),
        failure=_failure(row, keyring),
    )


def _failure(row: dict[str, Any], keyring: Keyring | None) -> str | None:
    sealed = row.get("revert_failure") or row.get("failure")
    if keyring is None or not sealed:
        return None
    try:
        return failure_text(Failure.from_dict(keyring.unseal(sealed)))
    except BadSeal:
        return "sealed with a key that is not here"
