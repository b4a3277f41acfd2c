# SPDX-License-Identifier: Apache-2.0
"""The one list of operations: a module of this package registers its flow, and everything else follows.

The API's kinds, the docs' diagrams, the console's legend and the kill sweep all ask :data:`REGISTRY`. Adding an
operation is adding one module here. The graph of a released version never changes: a change is a new version, and
the old one stays for the operations that were accepted with it.
"""

import dataclasses
import functools
import importlib
import pkgutil
from collections.abc import Callable, Mapping
from typing import Any

from sqlalchemy.orm import Session
from taskflow import flow as tf_flow

from dbflow.operations import Kind, State
from dbflow.status import Task
from flows import graph

Arguments = dict[str, Any]
Build = Callable[[Arguments], tf_flow.Flow]
"""Makes the flow; depends on nothing but the operation's arguments, so that it is the same at every claim."""


@dataclasses.dataclass(frozen=True)
class Ending:
    """How an operation ended."""

    operation_id: str
    kind: str
    target_id: str
    state: State
    """SUCCESS, REVERTED or FAILED"""
    error: str | None
    """Why, in words; None when it was cancelled before anything failed."""
    arguments: Arguments
    left: frozenset[str] | None = None
    """Names of the steps that are not undone; None when that is not known."""
    refused: Mapping[str, str] = dataclasses.field(default_factory=dict)
    """Of those whose undoing failed: name -> the full name of the error's class."""


Ended = Callable[[Session, Ending], None]
"""Writes what the end means for the target, in the transaction that ends the operation."""


@dataclasses.dataclass(frozen=True)
class Definition:
    """A version of a kind of operation."""

    kind: Kind
    build: Build
    ended: Ended
    example: Arguments
    """Arguments that show the whole graph: for diagrams and for tests."""


class UnknownOperation(LookupError):
    """This process does not know the kind, or not that version of it."""


class Registry:
    """Definitions by kind and version."""

    def __init__(self) -> None:
        self._definitions: dict[tuple[str, int], Definition] = {}

    def add(self, definition: Definition) -> None:
        """Register; ValueError when that version is taken."""
        key = (definition.kind.name, definition.kind.version)
        if key in self._definitions:
            raise ValueError(f"{key[0]} version {key[1]} is registered twice")
        self._definitions[key] = definition

    def definition(self, name: str, version: int | None = None) -> Definition:
        """Of that version, or the newest; UnknownOperation."""
        self._load()
        versions = [known for kind, known in self._definitions if kind == name]
        if not versions or (version is not None and version not in versions):
            raise UnknownOperation(f"{name} version {version or 'any'}")
        return self._definitions[name, version or max(versions)]

    def knows(self, name: str, version: int) -> bool:
        """Whether this process can run operations of that version of a kind."""
        self._load()
        return (name, version) in self._definitions

    def kinds(self) -> list[Kind]:
        """The newest version of every kind, by name."""
        self._load()
        return [self.definition(name).kind for name in sorted({name for name, _ in self._definitions})]

    def versions(self) -> list[tuple[str, int]]:
        """Every version of every kind: operations that were accepted with any of them can be resumed."""
        self._load()
        return sorted(self._definitions)

    def kind(self, name: str) -> Kind:
        """The newest version of a kind; UnknownOperation (a LookupError)."""
        return self.definition(name).kind

    def graph(self, name: str, version: int | None = None, arguments: Arguments | None = None) -> dict[str, Any]:
        """The flow as plain data (see :func:`flows.graph.describe`)."""
        definition = self.definition(name, version)
        flow = definition.build(arguments if arguments is not None else definition.example)
        return graph.describe(flow, definition.kind)

    @functools.cache  # noqa: B019 - one registry a process, for its life
    def _load(self) -> None:
        package = importlib.import_module(__package__)
        for module in pkgutil.iter_modules(package.__path__):
            if not module.ispkg:
                importlib.import_module(f"{__package__}.{module.name}")


REGISTRY = Registry()


def operation(
    name: str,
    *,
    title: str,
    task: Task,
    ended: Ended,
    example: Arguments,
    version: int = 1,
    priority: str = "NORMAL",
    target_type: str = "instance",
    cancellable: bool = True,
    deadline: float | None = None,
) -> Callable[[Build], Build]:
    """Register the decorated function, which builds the flow, as (a version of) a kind of operation."""

    def register(build: Build) -> Build:
        kind = Kind(name, title, version, priority, target_type, task, cancellable, deadline)
        REGISTRY.add(Definition(kind, build, ended, example))
        return build

    return register
