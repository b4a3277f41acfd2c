# SPDX-License-Identifier: Apache-2.0
"""The way back from an upgrade, whatever state the machine is in."""

import pathlib
import shutil
import types
from typing import Any, cast

import pytest

from dbflow.datastores.mariadb import MariaDB
from flows import upgrade
from flows.registry import REGISTRY
from flows.tasks.base import FlowContext
from flows.tasks.record import RecordHealth
from guest.datastores.base import DatastoreError, Machine, WrittenSince
from guest.datastores.mariadb.layout import Layout
from guest.datastores.mariadb.point import Point
from guest.tasks.base import GuestTask
from guest.tasks.status import LastLook


def steps(kind: str) -> list[Any]:
    definition = REGISTRY.definition(kind)
    return [step for step, _ in definition.build(definition.example).iter_nodes()]


def test_a_full_volume_is_in_the_way_of_no_step_back() -> None:
    """The removal of the copy makes room: what must be undone before it can't wait for that."""
    found = [one for one in steps("instance.upgrade") if isinstance(one, GuestTask) and one.reverts_on_guest()]
    assert [one.name for one in found if not (one.runs_on_a_full_volume and one.resumable)] == []
    assert len(found) == 4


def test_what_the_guest_says_of_what_was_written() -> None:
    assert f"{WrittenSince.__module__}.{WrittenSince.__qualname__}" == upgrade._WRITTEN


def test_nothing_has_failed_when_nobody_answers_at_the_end() -> None:
    (look,) = (one for one in steps("instance.drop_point") if one.name == "check-upgraded")
    assert isinstance(look, LastLook)
    assert "execute" in look.unanswered
    record = RecordHealth()
    record.bind(cast(FlowContext, types.SimpleNamespace(fence=types.SimpleNamespace(confirm=lambda within=0.0: None))))
    record.execute(instance_id="i", health=None)


def test_a_point_that_is_left_is_told_of(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    machine = Machine(
        instance_id="i",
        address="127.0.0.1",
        port=MariaDB.ports[0],
        data_dir=tmp_path,
        run_dir=tmp_path,
        log_dir=tmp_path,
        run_as=None,
    )
    point = Point(Layout.of(machine), "p")
    point.drop()
    (tmp_path / ".point-p").mkdir()

    def refuse(path: pathlib.Path, *_: object, **__: object) -> None:
        raise OSError(5, "Input/output error", path)

    with monkeypatch.context() as patched:
        patched.setattr(shutil, "rmtree", refuse)
        with pytest.raises(DatastoreError, match="Input/output error"):
            point.drop()
    point.drop()
    assert list(tmp_path.iterdir()) == []
