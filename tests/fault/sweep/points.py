# SPDX-License-Identifier: Apache-2.0
"""The points of an operation at which something is made to fail, found from its graph: a new flow needs no list.

The words of a point's name: ``kill`` a process of the control plane there, and another goes on; ``agent``: kill the
guest's agent there; ``raise``: an error that nothing expects; ``lose``: what was done stays done, but its answer is
lost; ``late``: so much so that the guest is given up; ``park``: undoing fails too, and is retried from outside;
``cancel``: the operation is cancelled while it is held there.
"""

import dataclasses
from collections.abc import Iterable
from typing import Any

import networkx as nx

from flows.registry import REGISTRY

SUCCESS, REVERTED, FAILED = "SUCCESS", "REVERTED", "FAILED"
KILL, RAISE, LOSE = "kill", "raise", "lose"
_MIDDLE = ("within.1", "within.3")
"""After one effect, and after three, of a guest's step that has so many."""
Node = dict[str, Any]


@dataclasses.dataclass(frozen=True)
class Point:
    """One failure: what is armed (file name -> what happens there) and how the operation must end."""

    kind: str
    name: str
    armed: tuple[tuple[str, str], ...]
    ends: str
    parks: bool = False
    """It ends FAILED first, and like that only when it was retried."""
    held: str = ""
    """Where it is held while it is cancelled."""
    killed_held: bool = False
    """Whether the conductor is killed, too, while it is held."""
    gate: str = ""
    """Where the step that fails waits until all of ``after`` was passed."""
    after: tuple[str, ...] = ()
    """Points that are passed first: the ends of steps that run beside the one that fails, or is cancelled."""

    @property
    def title(self) -> str:
        """Such as ``instance.create kill create-port.execute.done``."""
        return f"{self.kind} {self.name}"

    @property
    def deadly(self) -> str:
        """The point at which a process of the control plane dies, if any."""
        return next((name for name, what in self.armed if what == KILL and not _of_guest(name)), "")

    @property
    def agent_kills(self) -> list[str]:
        """The points at which the agent dies."""
        return [name for name, what in self.armed if what == KILL and _of_guest(name)]


def in_the_middle(name: str) -> bool:
    """Whether a step may end without coming there: it has fewer effects."""
    return ".within." in name


def _of_guest(name: str) -> bool:
    return name.startswith("guest.")


def points(kind: str) -> list[Point]:
    """All of them, those of the whole operation first."""
    graph = REGISTRY.graph(kind)
    nodes, order = graph["nodes"], _order(graph)
    last = nodes[-1]
    found = [
        Point(kind, f"kill {name}", ((name, KILL),), SUCCESS)
        for name in ("operation.accepted", "operation.claimed", "operation.ended")
    ]
    for node in nodes:
        found += _forward(kind, node)
    for node in nodes:
        if node["name"] in _beside(order, last):
            found += _backward_beside(kind, node, last)
        else:
            found += _backward(kind, node, _fails(last))
    if REGISTRY.kind(kind).cancellable:
        for node in nodes:
            ends = order.out_degree(node["name"]) == 0
            found += _cancelled_late(kind, node, _beside(order, node)) if ends else _cancelled(kind, node)
    return found


def _order(graph: dict[str, Any]) -> "nx.DiGraph[str]":
    """Of the steps, by name."""
    order: nx.DiGraph[str] = nx.DiGraph(graph["edges"])
    order.add_nodes_from(node["name"] for node in graph["nodes"])
    return order


def _beside(order: "nx.DiGraph[str]", node: Node) -> set[str]:
    """Names of the steps that a step after which nothing comes does not wait for."""
    return set(order) - nx.ancestors(order, node["name"]) - {node["name"]}


def _fails(node: Node) -> tuple[str, str]:
    """What makes a step fail before it has done anything."""
    return (_called(node), RAISE)


def _called(node: Node) -> str:
    """Where a step is about to do its work."""
    step = node["name"]
    return f"guest.{step}.execute.before" if node["where"] == "guest" else f"{step}.execute.called"


def _forward(kind: str, node: Node) -> list[Point]:
    """The conductor dies around the step; the step fails; its answer is lost; the guest's agent dies in it."""
    step = node["name"]
    found = [
        Point(kind, f"kill {step}.execute.{when}", ((f"{step}.execute.{when}", KILL),), SUCCESS)
        for when in ("begun", "done", "saved")
    ]
    if node["where"] == "guest":
        work = f"guest.{step}.execute"
        found += [
            Point(kind, f"agent {step}.execute.{when}", ((f"{work}.{when}", KILL),), SUCCESS)
            for when in ("before", *_MIDDLE, "after", "reply")
        ]
        found.append(Point(kind, f"lose {step}.execute", ((f"{work}.reply", LOSE),), SUCCESS))
        found.append(Point(kind, f"late {step}.execute", ((f"{step}.execute.returned", LOSE),), REVERTED))
    else:
        found.append(Point(kind, f"lose {step}.execute", ((f"{step}.execute.returned", LOSE),), SUCCESS))
    return [*found, Point(kind, f"raise {step}", (_fails(node),), REVERTED)]


def _backward(kind: str, node: Node, fails: tuple[str, str]) -> list[Point]:
    """The last step fails, and on the way back it goes wrong around this step."""
    step = node["name"]
    found = [
        Point(kind, f"kill {step}.revert.{when}", (fails, (f"{step}.revert.{when}", KILL)), REVERTED)
        for when in ("begun", "done", "saved")
    ]
    # The last step fails before it has done anything; a guest's step that failed is undone all the same.
    if not node["reverts"]:
        return found
    if node["where"] == "guest":
        work = f"guest.{step}.revert"
        found += [
            Point(kind, f"agent {step}.revert.{when}", (fails, (f"{work}.{when}", KILL)), REVERTED)
            for when in ("before", *_MIDDLE, "after", "reply")
        ]
        found.append(Point(kind, f"raise {step}.revert", (fails, (f"{work}.before", RAISE)), REVERTED))
        found.append(Point(kind, f"lose {step}.revert", (fails, (f"{work}.reply", LOSE)), REVERTED))
        found.append(Point(kind, f"park {step}", (fails, (f"{step}.revert.returned", LOSE)), REVERTED, parks=True))
    else:
        found.append(Point(kind, f"lose {step}.revert", (fails, (f"{step}.revert.returned", LOSE)), REVERTED))
        found.append(Point(kind, f"park {step}", (fails, (f"{step}.revert.called", RAISE)), REVERTED, parks=True))
    return found


def _backward_beside(kind: str, node: Node, last: Node) -> list[Point]:
    """As :func:`_backward`, of a step that the last one does not wait for: there is something to undo once it ended."""
    assert last["where"] == "local", "a guest's step can't wait before it fails"
    step = f"{last['name']}.execute"
    found = _backward(kind, node, (f"{step}.fenced", RAISE))
    return [dataclasses.replace(point, gate=f"{step}.called", after=_ends_of([node["name"]])) for point in found]


def _ends_of(steps: Iterable[str]) -> tuple[str, ...]:
    return tuple(f"{step}.execute.done" for step in sorted(steps))


def _cancelled(kind: str, node: Node) -> list[Point]:
    """Cancelled while the step is at work; then the conductor dies, in the step or when the step is undone."""
    step, undone = node["name"], f"{node['name']}.revert.done"
    return [
        Point(kind, f"cancel {step}, kill {step}.execute", (), REVERTED, held=_called(node), killed_held=True),
        Point(kind, f"cancel {step}, kill {undone}", ((undone, KILL),), REVERTED, held=_called(node)),
    ]


def _cancelled_late(kind: str, node: Node, beside: set[str]) -> list[Point]:
    """When the last step at work ends after all, the cancel came too late."""
    step, held = node["name"], _called(node)
    return [
        Point(kind, f"cancel {step}, kill {step}.execute", (), REVERTED, held=held, killed_held=True),
        Point(kind, f"cancel {step}, too late", (), SUCCESS, held=held, after=_ends_of(beside)),
    ]
