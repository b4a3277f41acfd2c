# SPDX-License-Identifier: Apache-2.0
"""``python -m guest.image``, with a plug-in that is made up."""

import os
import pathlib
import pwd
from importlib.metadata import EntryPoint, EntryPoints

import pytest

from guest import image
from guest.datastores.base import DatastoreError, Machine
from tests.unit.cloud.forked import NOBODY


class Plug:
    """Builds an image that tells of the machine it was built on."""

    def __init__(self, machine: Machine) -> None:
        self.lifecycle = self
        self.machine = machine

    def build_image(self, target: pathlib.Path) -> None:
        if target.parent.name == "refused":
            raise DatastoreError("No engine on this machine.")
        target.mkdir()
        owners = {path.stat().st_uid for path in (self.machine.data_dir, self.machine.run_dir, self.machine.log_dir)}
        (target / "told").write_text(f"{self.machine.run_as} {owners} {self.machine.run_dir}")


@pytest.fixture(autouse=True)
def made_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """The one datastore that is installed."""
    entries = EntryPoints([EntryPoint("made-up", f"{__name__}:Plug", image.ENTRY_POINTS)])
    monkeypatch.setattr("dbflow.plugins.of", lambda group: entries.select(group=group))


def test_the_plug_in_builds_on_a_machine_of_the_right_user(tmp_path: pathlib.Path) -> None:
    run_as = NOBODY if os.geteuid() == 0 else pwd.getpwuid(os.geteuid()).pw_name
    assert image.main(["made-up", str(tmp_path / "image"), "--run-as", run_as]) == 0
    told = (tmp_path / "image" / "told").read_text()
    name, owners, run_dir = told.split()
    assert (name, owners) == (run_as, f"{{{pwd.getpwnam(run_as).pw_uid}}}")
    assert not pathlib.Path(run_dir).exists(), "the machine is gone afterwards"


def test_a_refusal_is_the_last_word(tmp_path: pathlib.Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "refused").mkdir()
    assert image.main(["made-up", str(tmp_path / "refused" / "image")]) == 1
    assert capsys.readouterr().err == "No engine on this machine.\n"


def test_an_unknown_manager_is_named(tmp_path: pathlib.Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        image.main(["other", str(tmp_path / "image")])
    assert "'made-up'" in capsys.readouterr().err
