# SPDX-License-Identifier: Apache-2.0
"""What is true of every guest task."""

import importlib
import inspect
import pkgutil
import types

import pytest

import guest.tasks
from guest.streams.store import StoreFailed
from guest.tasks import logs
from guest.tasks.base import GuestTask


def _all() -> list[type[GuestTask]]:
    found = set()
    for info in pkgutil.iter_modules(guest.tasks.__path__):
        module = importlib.import_module(f"guest.tasks.{info.name}")
        found |= {cls for _, cls in inspect.getmembers(module, inspect.isclass) if issubclass(cls, GuestTask)}
    return sorted((cls for cls in found if not inspect.isabstract(cls)), key=lambda cls: cls.path())


TASKS = _all()


def test_they_are_found() -> None:
    assert {"guest.tasks.lifecycle.Prepare", "guest.tasks.accounts.ListUsers"} <= {cls.path() for cls in TASKS}


@pytest.mark.parametrize("cls", TASKS, ids=lambda cls: cls.path())
def test_contract(cls: type[GuestTask]) -> None:
    task = cls()
    assert task.requires >= {"instance_id"}
    assert cls.deadline > 0
    assert cls.__doc__
    assert cls.execute.__doc__
    assert not (cls.reads_only and cls.reverts_on_guest())
    with pytest.raises(RuntimeError, match="on a guest only"):
        _ = task.datastore


def test_a_store_that_is_down_is_told_as_such(monkeypatch: pytest.MonkeyPatch) -> None:
    """So that the API tells its client to come again later."""

    class Down:
        def put(self, *_: object) -> None:
            raise StoreFailed("The object store does not work: 507.")

    monkeypatch.setattr(logs, "Store", lambda *_: Down())
    task = logs.PublishLog()
    published = types.SimpleNamespace(publish=lambda _name, send: send("part", b"x", 1))
    task.bind(types.SimpleNamespace(logs=published))  # type: ignore[arg-type]
    with pytest.raises(logs.StoreUnavailable, match="507"):
        task.execute("i", "general", {}, "d", {})
