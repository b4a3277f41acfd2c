# SPDX-License-Identifier: Apache-2.0
"""How an agent goes."""

import pathlib
import threading
from typing import Any

import pytest

from guest.agent import Agent
from tests.guests.asking import request
from tests.unit.guest.conftest import Answers


def test_it_does_not_go_before_it_has_answered(
    agent: Agent, answers: Answers, monkeypatch: pytest.MonkeyPatch, tmp_path: pathlib.Path
) -> None:
    """Not when the work is done, but nobody knows of it yet."""
    worked, tell = threading.Event(), threading.Event()

    def reply(_id: str, _asker: str, answer: dict[str, Any]) -> None:
        if answer["state"] == "SUCCESS":
            worked.set()
            assert tell.wait(30)
        answers.append(answer)

    monkeypatch.setattr(agent, "_reply", reply)
    asked = request("i", "Write", path=str(tmp_path / "f"), word="one")
    agent._take(asked.id, "me", asked.body())
    assert worked.wait(30)
    going = threading.Thread(target=agent.stop, args=(30.0,))
    going.start()
    going.join(0.5)
    assert going.is_alive()
    tell.set()
    going.join(30)
    assert not going.is_alive()
    assert answers[-1]["state"] == "SUCCESS"
