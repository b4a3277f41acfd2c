# SPDX-License-Identifier: Apache-2.0
"""The commands of python-troveclient, which of them have succeeded, and which tests say that they check them."""

import importlib
import pkgutil
from collections.abc import Iterable, Iterator, Sequence
from importlib.metadata import entry_points
from types import ModuleType

import pytest

from tests.functional.stack.fixtures import FAILED
from tests.wire import cli

COMMANDS = frozenset(one.name.replace("_", " ") for one in entry_points(group="openstack.database.v1"))


def commands_of(calls: Iterable[Sequence[str]]) -> set[str]:
    """Those among them that are ours, without what follows their names."""
    return {found for found in map(_command_of, calls) if found is not None}


def checked_in(package: ModuleType) -> set[str]:
    """Commands that marks of the tests in a package name."""
    names = [one.name for one in pkgutil.iter_modules(package.__path__) if one.name.startswith("test_")]
    modules = [importlib.import_module(f"{package.__name__}.{name}") for name in names]
    tests = [test for module in modules for name, test in vars(module).items() if name.startswith("test_")]
    marks = [mark for test in tests for mark in getattr(test, "pytestmark", ()) if mark.name == "commands"]
    return {command for mark in marks for command in mark.args}


@pytest.fixture(autouse=True)
def has_run_what_it_checks(request: pytest.FixtureRequest) -> Iterator[None]:
    """No test says that it checks a command which has not succeeded, in the test or in the fixtures that it shares."""
    yield
    checked = {command for mark in request.node.iter_markers("commands") for command in mark.args}
    if checked and not request.node.stash.get(FAILED, False):
        never = checked - commands_of(cli.SUCCEEDED)
        assert not never, f"never ended well: {sorted(never)}"


def _command_of(call: Sequence[str]) -> str | None:
    named = [command for command in COMMANDS if list(call[: command.count(" ") + 1]) == command.split()]
    return max(named, key=len, default=None)
