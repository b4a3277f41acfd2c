# SPDX-License-Identifier: Apache-2.0
"""The step shown beside its operation: what it waits for, where it runs, what it got and gave, why it failed."""

import dataclasses
from typing import Any

from dbflow.console.drawing import Layout, Node
from dbflow.operations import ENDED, State
from dbflow.persistence.busy import BUSY
from dbflow.persistence.steps import Step
from dbflow.services import details
from dbflow.services.context import Services
from dbflow.services.details import Detail
from dbflow.services.errors import NotFound


@dataclasses.dataclass(frozen=True)
class Wait:
    """What a step waits for."""

    words: str = ""
    """"" when for nothing."""
    steps: tuple[str, ...] = ()
    """Those whose end it waits for."""
    since: str | None = None
    """ISO 8601, UTC; also of a step that runs."""


@dataclasses.dataclass(frozen=True)
class Panel:
    """A step, as the panel shows it."""

    name: str
    node: Node | None
    """Of the graph; None when this release does not know it."""
    step: Step | None
    """What is saved of it; None before the flow was loaded for the first time."""
    wait: Wait
    runs: str
    """Where it runs, or would."""
    needs: tuple[tuple[str, Any, str], ...]
    """(name, value, the step that gives it): one of the last two."""
    outcome: details.Outcome


def beside(services: Services, found: Detail, drawn: Layout | None, name: str, *, admin: bool) -> Panel:
    """NotFound when the operation has no such step. What the conductors are called is told to administrators only."""
    node = next((node for node in drawn.graph.nodes if node.name == name), None) if drawn else None
    step = next((step for step in found.steps if step.name == name), None)
    if node is None and step is None:
        raise NotFound(f"There is no step {name[:100]} in this operation.")
    return Panel(
        name=name,
        node=node,
        step=step,
        wait=_wait(found, drawn, node, step),
        runs=_runs(found, node, step, admin),
        needs=_needs(services, found, drawn, node),
        outcome=details.outcome(services, found, name, node.provides if node else ()),
    )


def _wait(found: Detail, drawn: Layout | None, node: Node | None, step: Step | None) -> Wait:
    if step is not None and step.state in BUSY:
        on_guest = node is not None and node.where == "guest"
        return Wait("the answer of the guest" if on_guest else "", since=step.started)
    if found.row.state in ENDED or (step is not None and step.state != "PENDING"):
        return Wait()
    return _wait_of_operation(found) or _wait_of_steps(found, drawn, node)


def _wait_of_operation(found: Detail) -> Wait | None:
    """What all steps of an operation wait for that does not run."""
    row = found.row
    if row.state == State.SUSPENDED:
        return Wait("somebody to resume the operation")
    if row.state == State.REVERTING:
        return Wait("nothing: the operation is being undone, so it is not begun any more")
    if row.state == State.ACCEPTED:
        return Wait("the operation before" if found.before else "a conductor", since=row.created.isoformat())
    return None


def _wait_of_steps(found: Detail, drawn: Layout | None, node: Node | None) -> Wait:
    states = {step.name: step for step in found.steps}
    before = [a for a, b in drawn.graph.edges if node is not None and b == node.name] if drawn else []
    missing = tuple(name for name in before if name not in states or states[name].state != "SUCCESS")
    ends = (states[name].finished for name in before if name in states)
    return Wait("the end of" if missing else "its turn", missing, max(filter(None, ends), default=None))


def _runs(found: Detail, node: Node | None, step: Step | None, admin: bool) -> str:
    row = found.row
    on_guest = node is not None and node.where == "guest"
    guest = f"guest of {row.instance or row.target_id}"
    if not admin or step is None or step.state not in BUSY or row.conductor is None:
        return guest if on_guest else "a conductor"
    return f"{guest}, asked by {row.conductor}" if on_guest else str(row.conductor)


def _needs(
    services: Services, found: Detail, drawn: Layout | None, node: Node | None
) -> tuple[tuple[str, Any, str], ...]:
    if node is None or drawn is None:
        return ()
    given: dict[str, Any] = {"instance_id": found.row.target_id, **(details.arguments(services, found) or {})}
    makers = {name: other.name for other in drawn.graph.nodes for name in other.provides}
    return tuple(
        (name, given.get(name), "" if name in given else makers.get(name, "")) for name in sorted(node.requires)
    )
