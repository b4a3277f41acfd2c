# SPDX-License-Identifier: Apache-2.0
"""dbflow-status upgrade check."""

import pathlib
import sys

import pytest

from dbflow.cmd import status
from dbflow.crypto import Keyring
from dbflow.db import migrate
from dbflow.db.models import Operation
from dbflow.db.session import Database


class Checked:
    """A deployment, and the check's answer about it."""

    def __init__(self, path: pathlib.Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
        self.url, self.keys = f"sqlite:///{path}/x.sqlite", path / "keys"
        (path / "dbflow.conf").write_text(f"[database]\nconnection={self.url}\n[security]\nkey_file={self.keys}\n")
        monkeypatch.setattr(sys, "argv", ["x", "--config-file", str(path / "dbflow.conf"), "upgrade", "check"])
        self._capsys = capsys

    def __call__(self) -> tuple[int, str]:
        code = status.main()
        return code, " ".join(self._capsys.readouterr().out.replace("|", " ").split())

    def add(self, kind: str, version: int, arguments: str, state: str = "RUNNING") -> None:
        database = Database(self.url)
        with database.write() as session:
            session.add(
                Operation(
                    kind=kind, version=version, target_type="instance", target_id="i", project_id="p", user_id="u",
                    arguments=arguments, state=state,
                )
            )  # fmt: skip
        database.close()


@pytest.fixture
def check(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Checked:
    return Checked(tmp_path, monkeypatch, capsys)


def test_ready(check: Checked) -> None:
    migrate.upgrade(check.url)
    Keyring.create_file(check.keys)
    check.add("instance.create", 1, Keyring.from_file(check.keys).seal({}))
    assert check()[0] == 0


def test_nothing_is_there_yet(check: Checked) -> None:
    code, text = check()
    assert code == 2
    # The table breaks lines where it likes, also behind a hyphen.
    whole = "".join(text.split())
    assert "run`dbflow-managedbsync`" in whole
    assert "`dbflow-managekeygenerate`" in whole


def test_keys_that_others_can_read(check: Checked) -> None:
    migrate.upgrade(check.url)
    Keyring.create_file(check.keys)
    check.keys.chmod(0o644)
    code, text = check()
    assert code == 2
    assert "mode 0600" in text


def test_keys_that_do_not_fit(check: Checked) -> None:
    migrate.upgrade(check.url)
    Keyring.create_file(check.keys)
    check.add("instance.create", 1, Keyring([b"A" * 43 + b"="]).seal({}))
    code, text = check()
    assert code == 2
    assert "sealed with a key that is not in the file" in text


def test_operations_of_another_release(check: Checked) -> None:
    migrate.upgrade(check.url)
    Keyring.create_file(check.keys)
    sealed = Keyring.from_file(check.keys).seal({})
    check.add("instance.create", 99, sealed)
    check.add("instance.dance", 1, sealed, state="FAILED")
    check.add("instance.sing", 1, sealed, state="SUCCESS")
    code, text = check()
    assert code == 2
    assert "instance.create version 99, instance.dance version 1" in text
    assert "sing" not in text
