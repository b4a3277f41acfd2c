# SPDX-License-Identifier: Apache-2.0
"""Each effect happened once: what the record of passed points, the cloud and the database's log say of it.

Work of a guest is done once, unless its agent died in it or right after, before the journal knew. Work of a
conductor may be done again only when nothing of its first time was saved: the step that was interrupted, and those
that ran beside it. Whether such a second time made a second thing is asked of the cloud: agents are started once a
boot, a server boots once a resize, and the database starts as often as its operation says.
"""

import collections
import dataclasses
import json
import pathlib
from collections.abc import Iterator
from typing import Any

import networkx as nx
from taskflow import flow as tf_flow

from flows.registry import REGISTRY
from tests.fault.sweep.points import LOSE, REVERTED, SUCCESS, Node, Point

_READY = "ready for connections"


@dataclasses.dataclass(frozen=True)
class Starts:
    """How often the machine of an instance was booted, and its database started."""

    boot: int = 0
    database: int = 0


def starts(cloud: pathlib.Path, instance_id: str) -> Starts:
    """As the local cloud's record and the database's own log have it; zero for what is not there."""
    server = cloud / "servers" / instance_id
    if not instance_id or not (server / "server.json").exists():
        return Starts()
    log = server / "log" / "mariadb.log"
    told = log.read_text(errors="replace").count(_READY) if log.exists() else 0
    return Starts(json.loads((server / "server.json").read_text())["boot"], told)


class Ledger:
    """What was done for one point."""

    def __init__(self, point: Point, record: list[str], guests: bool = True) -> None:
        """``record``: the points that were passed, in order; by guests too, unless they run where none are kept."""
        self._guests = guests
        self._point, self._counts = point, collections.Counter(record)
        self._graph = REGISTRY.graph(point.kind)
        order = nx.DiGraph(self._graph["edges"])
        order.add_nodes_from(node["name"] for node in self._graph["nodes"])
        self._order = nx.transitive_closure_dag(order)
        self._readers = {one.name for one in _atoms(point.kind) if getattr(one, "reads_only", False)}

    @property
    def agents(self) -> int:
        """How often an agent was started."""
        return self._counts["guest.started"]

    def steps(self, state: str) -> list[str]:
        """Violations: steps that were done more often than the failure explains, or not done, or not undone."""
        found = []
        for node in self._graph["nodes"]:
            if node["where"] == "guest" and not self._guests:
                continue
            executed, reverted = self._done(node, "execute"), self._done(node, "revert")
            if state == SUCCESS and not executed:
                found.append(f"{node['name']} was not done")
            if state == REVERTED and executed and node["reverts"] and not reverted:
                found.append(f"{node['name']} was not undone")
            for verb, times in (("execute", executed), ("revert", reverted)):
                most = self._most(node, verb)
                if most is not None and times > most:
                    found.append(f"{node['name']}.{verb} was done {times} times, {most} at most are right")
        return found

    def _done(self, node: Node, verb: str) -> int:
        step = f"{node['name']}.{verb}"
        return self._counts[f"guest.{step}.after" if node["where"] == "guest" else f"{step}.returned"]

    def _most(self, node: Node, verb: str) -> int | None:
        step = f"{node['name']}.{verb}"
        if node["name"] in self._readers:
            return None  # what changes nothing may be asked again
        if node["where"] == "guest":
            # Undoing that was given up for lost is undone anew when people ask for it.
            lost = self._point.parks and (f"{step}.returned", LOSE) in self._point.armed
            return 1 + (f"guest.{step}.after" in self._point.agent_kills) + lost
        return 1 + ((f"{step}.returned", LOSE) in self._point.armed) + self._was_interrupted(node, verb)

    def _was_interrupted(self, node: Node, verb: str) -> bool:
        """Whether the conductor died while the step's end was not saved."""
        step, _, of = self._point.deadly.partition(".")
        if not of.startswith(verb):
            return False
        if step == node["name"]:
            return not of.endswith("saved")
        return not (self._order.has_edge(step, node["name"]) or self._order.has_edge(node["name"], step))


def _atoms(kind: str) -> Iterator[Any]:
    definition = REGISTRY.definition(kind)
    return _inside(definition.build(definition.example))


def _inside(flow: tf_flow.Flow) -> Iterator[Any]:
    for item, _ in flow.iter_nodes():
        if isinstance(item, tf_flow.Flow):
            yield from _inside(item)
        else:
            yield item
