# SPDX-License-Identifier: Apache-2.0
"""The state directory of dbflow-standalone."""

import json
import os
import pathlib
import stat
import uuid
from collections.abc import Iterator

import pytest

from dbflow.cmd.statedir import PROJECT, InUse, StateDir


@pytest.fixture
def narrow() -> Iterator[None]:
    """The umask that dbflow-standalone has."""
    before = os.umask(0o077)
    yield
    os.umask(before)


def _mode(path: pathlib.Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@pytest.mark.usefixtures("narrow")
def test_others_may_pass_through_what_it_made(tmp_path: pathlib.Path) -> None:
    state = StateDir(tmp_path / "a" / "b")
    with state.taken():
        state.write("127.0.0.1", 1)
    assert (_mode(tmp_path / "a"), _mode(tmp_path / "a" / "b")) == (0o711, 0o711)
    assert {_mode(path) for path in state.path.iterdir()} == {0o600}


def test_one_process_at_a_time(tmp_path: pathlib.Path) -> None:
    with StateDir(tmp_path / "s").taken(), pytest.raises(InUse), StateDir(tmp_path / "s").taken():
        pass


def test_tokens_stay_and_the_place_follows(tmp_path: pathlib.Path) -> None:
    state = StateDir(tmp_path)
    seen = []
    for port in (1, 2):
        state.write("127.0.0.1", port)
        seen.append(json.loads(state.clouds.read_text())["clouds"]["dbflow"]["auth"])
    assert seen[0]["token"] == seen[1]["token"]
    assert [auth["endpoint"] for auth in seen] == [f"http://127.0.0.1:{port}/v1.0/{PROJECT}" for port in (1, 2)]
    # Clients ask Keystone about project ids of another form, and there is none.
    assert uuid.UUID(PROJECT).hex == PROJECT
