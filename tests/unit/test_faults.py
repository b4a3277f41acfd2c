# SPDX-License-Identifier: Apache-2.0
"""Points in the middle of a thread's work."""

import pathlib
import threading

import pytest

from dbflow import faults


@pytest.fixture
def directory(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> pathlib.Path:
    monkeypatch.setattr(faults, "_DIRECTORY", tmp_path)
    (tmp_path / faults.PASSED).touch()
    return tmp_path


def test_each_effect_has_its_number(directory: pathlib.Path) -> None:
    faults.within()
    for work in ("a", "b"):
        with faults.inside(work):
            faults.within()
            beside = threading.Thread(target=faults.within)
            beside.start()
            beside.join()
            faults.within()
    faults.within()
    passed = (directory / faults.PASSED).read_text().split()
    assert passed == ["a.within.1", "a.within.2", "b.within.1", "b.within.2"]


def _work(effects: int) -> None:
    with faults.inside("a"):
        for _ in range(effects):
            faults.within()


def test_what_is_armed_happens_after_that_effect_and_once(directory: pathlib.Path) -> None:
    (directory / "a.within.2").write_text("raise")
    _work(1)
    with pytest.raises(faults.Injected):
        _work(3)
    _work(3)
    assert (directory / faults.PASSED).read_text().split() == [f"a.within.{n}" for n in (1, 1, 2, 1, 2, 3)]
