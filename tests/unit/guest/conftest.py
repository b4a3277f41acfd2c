# SPDX-License-Identifier: Apache-2.0
"""An agent without a broker."""

import pathlib
from typing import Any

import pytest

from dbflow.crypto import new_message_key
from guest.agent import Agent
from guest.journal import Journal
from guest.settings import Settings
from guest.tasks.volume import GrowFilesystem
from tests.guests.datastore import FileDatastore
from tests.guests.tasks import Write

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
