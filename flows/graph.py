# SPDX-License-Identifier: Apache-2.0
"""A flow as plain data: what drawings, the API and the tests look at. Needs no engine, storage or guest."""

import inspect
from typing import Any

import networkx as nx
from taskflow import flow as tf_flow
from taskflow import retry
from taskflow.atom import Atom
from taskflow.engines.action_engine import compiler

from dbflow.operations import Kind
from guest.tasks.base import GuestTask


def describe(flow: tf_flow.Flow, kind: Kind) -> dict[str, Any]:
    """{"kind", "version", "title", "nodes": [{"name", "label", "type", "where", "group", "requires", "provides",
    "reverts", "doc"}], "edges": [[from, to]], "groups": [{"name", "parent"}]}: nodes in order of execution, edges
    without those that follow from others."""
    compilation = compiler.PatternCompiler(flow).compile()
    dag = compilation.execution_graph
    groups: list[dict[str, Any]] = []
    membership: dict[str, str | None] = {}
    _walk(flow, None, groups, membership, root=True)
    atoms = [node for node in nx.topological_sort(dag) if dag.nodes[node]["kind"] in compiler.ATOMS]
    return {
        "kind": kind.name,
        "version": kind.version,
        "title": kind.title,
        "nodes": [_node(atom, membership.get(atom.name)) for atom in atoms],
        "edges": _edges(dag, atoms),
        "groups": groups,
    }


def _walk(
    flow: tf_flow.Flow, parent: str | None, groups: list[dict[str, Any]], membership: dict[str, str | None], root: bool
) -> None:
    """Note which (sub-)flow each atom is in; the outermost flow is not a group of its own."""
    name = None if root else flow.name
    if name is not None:
        groups.append({"name": name, "parent": parent})
    if flow.retry is not None:
        membership[flow.retry.name] = name
    for item, _ in flow.iter_nodes():
        if isinstance(item, tf_flow.Flow):
            _walk(item, name, groups, membership, root=False)
        else:
            membership[item.name] = name


def _node(atom: Any, group: str | None) -> dict[str, Any]:
    doc = (inspect.getdoc(type(atom)) or "").partition("\n")[0]
    return {
        "name": atom.name,
        "label": atom.name.replace("-", " ").capitalize(),
        "type": "retry" if isinstance(atom, retry.Retry) else "task",
        "where": "guest" if isinstance(atom, GuestTask) else "local",
        "group": group,
        "requires": sorted(atom.requires),
        "provides": sorted(atom.provides),
        "reverts": type(atom).revert is not Atom.revert,
        "doc": doc,
    }


def _edges(dag: Any, atoms: list[Any]) -> list[list[str]]:
    """Contract the nodes that stand for flows, then drop what follows from other edges."""
    between = nx.DiGraph()
    between.add_nodes_from(atom.name for atom in atoms)
    closure = nx.transitive_closure_dag(nx.DiGraph(dag.edges))
    for atom in atoms:
        if atom in closure:
            between.add_edges_from((atom.name, other.name) for other in closure.successors(atom) if other in set(atoms))
    return sorted([a, b] for a, b in nx.transitive_reduction(between).edges)
