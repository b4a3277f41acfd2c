# SPDX-License-Identifier: Apache-2.0
"""What a flow that is given up leaves behind, by the names of its steps."""

from sqlalchemy.orm import Session
from taskflow import states

from dbflow.persistence.steps import steps_of

_QUIET = (states.PENDING, states.REVERTED)
"""States of steps that have left nothing."""


def not_undone(session: Session, flow_uuid: str) -> str:
    """Such as "; not undone: create-port, create-server"; empty when nothing is left."""
    left = [step.name for step in steps_of(session, flow_uuid) if step.state not in _QUIET]
    return f"; not undone: {', '.join(left)}" if left else ""
