# SPDX-License-Identifier: Apache-2.0
"""The points of an operation at which something is made to fail, found from its graph: a new flow needs no list."""

import dataclasses

from flows.registry import REGISTRY

SUCCESS, REVERTED = "SUCCESS", "REVERTED"


@dataclasses.dataclass(frozen=True)
class Point:
    """One failure: what is armed (file name -> what happens there) and how the operation must end."""

    kind: str
    name: str
    armed: tuple[tuple[str, str], ...]
    ends: str

    @property
    def title(self) -> str:
        """Such as ``instance.create kill create-port.execute.done``."""
        return f"{self.kind} {self.name}"


def points(kind: str) -> list[Point]:
    """All of them, those of the whole operation first."""
    nodes = REGISTRY.graph(kind)["nodes"]
    found = [
        Point(kind, f"kill {name}", ((name, "kill"),), SUCCESS)
        for name in ("operation.accepted", "operation.claimed", "operation.ended")
    ]
    for node in nodes:
        found += _forward(kind, node)
    return found + _backward(kind, nodes)


def _forward(kind: str, node: dict[str, str]) -> list[Point]:
    """The conductor dies around the step; the step fails; its answer is lost; the guest's agent dies in it."""
    step = node["name"]
    found = [
        Point(kind, f"kill {step}.execute.{when}", ((f"{step}.execute.{when}", "kill"),), SUCCESS)
        for when in ("begun", "done", "saved")
    ]
    if node["where"] == "guest":
        fails = f"guest.{step}.execute.before"
        found += [
            Point(kind, f"agent {when}", ((f"guest.{step}.execute.{when}", "kill"),), SUCCESS)
            for when in ("before", "after")
        ]
    else:
        fails = f"{step}.execute.called"
        found.append(Point(kind, f"lose {step}.execute", ((f"{step}.execute.returned", "lose"),), SUCCESS))
    return [*found, Point(kind, f"raise {step}", ((fails, "raise"),), REVERTED)]


def _backward(kind: str, nodes: list[dict[str, str]]) -> list[Point]:
    """The last step fails, and on the way back the conductor dies around each step, or an answer is lost."""
    last = nodes[-1]
    fails = f"guest.{last['name']}.execute.before" if last["where"] == "guest" else f"{last['name']}.execute.called"
    found = []
    for node in nodes:
        step = node["name"]
        for when in ("begun", "done", "saved"):
            point = f"{step}.revert.{when}"
            found.append(Point(kind, f"kill {point}", ((fails, "raise"), (point, "kill")), REVERTED))
        if node.get("reverts") and node["where"] == "local":
            armed = ((fails, "raise"), (f"{step}.revert.returned", "lose"))
            found.append(Point(kind, f"lose {step}.revert", armed, REVERTED))
        if node.get("reverts") and node["where"] == "guest":
            armed = ((fails, "raise"), (f"guest.{step}.revert.before", "kill"))
            found.append(Point(kind, f"agent {step}.revert", armed, REVERTED))
    return found
