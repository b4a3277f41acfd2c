# SPDX-License-Identifier: Apache-2.0
"""What an agent answers whose data volume is full: something, always, and it does what makes room."""

import pathlib
from collections.abc import Callable
from typing import Any

import pytest

from dbflow.crypto import new_message_key
from dbflow.messaging.wire import RequestId
from guest.agent import Agent
from guest.journal import Journal, VolumeFull
from guest.settings import Settings
from guest.tasks.volume import GrowFilesystem
from tests.guests.asking import request
from tests.guests.datastore import FileDatastore
from tests.guests.tasks import Write
from tests.waiting import wait_for

TASKS = {task.path(): task for task in (Write, GrowFilesystem)}
Answers = list[dict[str, Any]]


@pytest.fixture
def journal(tmp_path: pathlib.Path) -> Journal:
    return Journal(tmp_path / "journal.sqlite")


@pytest.fixture
def answers() -> Answers:
    return []


@pytest.fixture
def agent(tmp_path: pathlib.Path, journal: Journal, answers: Answers, monkeypatch: pytest.MonkeyPatch) -> Agent:
    """Not connected: its answers go to a list."""
    settings = Settings(
        instance_id="i", manager="file", url="amqp://u:p@127.0.0.1:1//", exchange="test", key=new_message_key(),
        heartbeat_interval=1.0, beat_interval=1.0, address="127.0.0.1", port=None, data_dir=tmp_path,
        run_dir=tmp_path, log_dir=tmp_path, run_as=None, image_dir=None,
    )  # fmt: skip
    made = Agent(settings, FileDatastore(settings.machine(1)), journal)
    monkeypatch.setattr(made, "_reply", lambda _id, _asker, answer: answers.append(answer))
    monkeypatch.setattr("guest.agent.task_class", TASKS.__getitem__)
    return made


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
