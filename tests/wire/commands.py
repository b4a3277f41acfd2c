# SPDX-License-Identifier: Apache-2.0
"""The commands of python-troveclient, which of them have succeeded, and which tests say that they check them."""

import importlib
import pkgutil
from collections.abc import Generator, Iterable, Iterator, Sequence
from importlib.metadata import entry_points
from types import ModuleType
from typing import Any

import pytest

from tests.functional.stack.fixtures import FAILED
from tests.wire import cli

COMMANDS = frozenset(one.name.replace("_", " ") for one in entry_points(group="openstack.database.v1"))

_RUN_BY: dict[str, list[list[str]]] = {}
"""Name of a fixture -> what it has called, when it was made last."""


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


class _Fixtures:
    """A plugin, since the hooks of a conftest.py do not hear of fixtures of the whole session."""

    @pytest.hookimpl(wrapper=True)
    def pytest_fixture_setup(self, fixturedef: pytest.FixtureDef[Any]) -> Generator[None, Any, Any]:
        """Note what a fixture itself runs; those that it uses come before."""
        before = len(cli.SUCCEEDED)
        made = yield
        _RUN_BY[fixturedef.argname] = cli.SUCCEEDED[before:]
        return made


def pytest_configure(config: pytest.Config) -> None:
    """Of every conftest.py that has the fixture below."""
    if not config.pluginmanager.has_plugin(__name__):
        config.pluginmanager.register(_Fixtures(), __name__)


@pytest.fixture(autouse=True)
def has_run_what_it_checks(request: pytest.FixtureRequest) -> Iterator[None]:
    """No test says that it checks a command which has not succeeded, in the test or in the fixtures that it uses."""
    before = len(cli.SUCCEEDED)
    yield
    checked = {command for mark in request.node.iter_markers("commands") for command in mark.args}
    if checked and not request.node.stash.get(FAILED, False):
        of_fixtures = [call for name in request.fixturenames for call in _RUN_BY.get(name, ())]
        never = checked - commands_of([*of_fixtures, *cli.SUCCEEDED[before:]])
        assert not never, f"never ended well: {sorted(never)}"


def _command_of(call: Sequence[str]) -> str | None:
    named = [command for command in COMMANDS if list(call[: command.count(" ") + 1]) == command.split()]
    return max(named, key=len, default=None)
