# SPDX-License-Identifier: Apache-2.0
"""What an agent answers whose data volume is full: something, always, and it does what makes room."""

import pathlib
from collections.abc import Callable
from typing import Any

import pytest

from dbflow.messaging.wire import RequestId
from guest.agent import Agent
from guest.journal import Journal, VolumeFull
from guest.tasks.volume import GrowFilesystem
from tests.guests.asking import request
from tests.unit.guest.conftest import Answers
from tests.waiting import wait_for


def _full(*_: object) -> None:
    raise VolumeFull


def _ended(answers: Answers) -> list[Any]:
    return [one["data"]["result"] for one in answers if one["state"] in ("SUCCESS", "FAILURE")]


def _ask(agent: Agent, path: pathlib.Path) -> Callable[[], None]:
    asked = request("i", "Write", path=str(path), word="one")
    return lambda: agent._take(asked.id, "me", asked.body())


def test_what_can_not_be_entered_is_refused(
    agent: Agent, journal: Journal, answers: Answers, monkeypatch: pytest.MonkeyPatch, tmp_path: pathlib.Path
) -> None:
    monkeypatch.setattr(journal, "_enter", _full)
    ask = _ask(agent, tmp_path / "f")
    ask()
    ask()
    assert [one["exception_str"][:23] for one in _ended(answers)] == ["the data volume is full"] * 2
    assert not (tmp_path / "f").exists()


def test_what_can_not_be_begun_is_refused_also_when_it_is_asked_again(
    agent: Agent, journal: Journal, answers: Answers, monkeypatch: pytest.MonkeyPatch, tmp_path: pathlib.Path
) -> None:
    def begin(request: RequestId, *, unwritten: bool) -> bool:
        raise VolumeFull

    monkeypatch.setattr(journal, "begin", begin)
    ask = _ask(agent, tmp_path / "f")
    ask()
    wait_for(lambda: len(_ended(answers)) == 1, 20, "the answer")
    ask()
    first, second = _ended(answers)
    assert first == second
    assert "guest.datastores.base.DatastoreError" in first["exc_type_names"], "so the user is told"
    assert not (tmp_path / "f").exists()


def test_its_file_system_can_be_grown(
    agent: Agent, journal: Journal, answers: Answers, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(journal, "_enter", _full)
    asked = request("i", "Write", volume_size=7)
    agent._take(asked.id, "me", asked.body() | {"task_cls": GrowFilesystem.path()})
    wait_for(lambda: len(_ended(answers)) == 1, 20, "the answer")
    assert answers[-1] == {"state": "SUCCESS", "data": {"result": None}}
