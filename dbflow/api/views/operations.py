# SPDX-License-Identifier: Apache-2.0
"""Operations, in the shape of long-running operations (AIP-151)."""

from collections.abc import Sequence
from typing import Any

from dbflow.api.here import allowed, caller, links
from dbflow.operations import ENDED
from dbflow.services.verbs import actions


def operation(found: Any, steps: Sequence[Any] | None = None) -> dict[str, Any]:
    """``steps`` where one is asked for."""
    shown: dict[str, Any] = {
        "id": found.id,
        "name": f"operations/{found.id}",
        "kind": found.kind,
        "version": found.version,
        "target": {"type": found.target_type, "id": found.target_id},
        "project_id": found.project_id,
        "user_id": found.user_id,
        "state": found.state,
        "done": found.state in ENDED,
        "actions": actions(found, allowed),
        "attempts": found.attempts,
        "created": found.created.isoformat(),
        "links": links("operations", found.id),
    }
    shown |= {
        name: value
        for name, value in (
            ("request_id", found.request_id),
            ("requested", found.requested),
            ("after", found.after_id),
            ("started", found.started and found.started.isoformat()),
            ("finished", found.finished and found.finished.isoformat()),
            ("note", found.note),
            ("error", found.error and {"message": found.error}),
            ("conductor", found.conductor if caller().is_admin else None),
        )
        if value
    }
    if steps is not None:
        shown["steps"] = [{"name": step.name, **step.as_dict()} for step in steps]
        shown["progress"] = progress(found.state, steps)
    return shown


def progress(state: str, steps: Sequence[Any]) -> float:
    """0 to 1: finished steps and what those at work report; 1 once it ended well."""
    if state == "SUCCESS":
        return 1.0
    done = sum(1.0 if step.state == "SUCCESS" else step.progress for step in steps)
    return round(min(done / len(steps), 0.99), 3) if steps else 0.0
