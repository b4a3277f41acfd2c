# SPDX-License-Identifier: Apache-2.0
"""No password that was handed out is to be found anywhere but in its owner's hands."""

import contextlib
import pathlib
import threading

import psutil
import pytest

from guest.datastores.base import DatabaseSpec, DatastoreError, UserSpec
from tests.contract.site import TIMEOUT, Site


class Watch(threading.Thread):
    """Reads the arguments and environments of all processes, again and again."""

    def __init__(self, secrets: list[str]) -> None:
        super().__init__(daemon=True)
        self.found: set[str] = set()
        self.rounds = 0
        self._secrets = secrets
        self._end = threading.Event()

    def run(self) -> None:
        while not self._end.is_set():
            for process in psutil.process_iter():
                with contextlib.suppress(psutil.Error, OSError):
                    self._look(process)
            self.rounds += 1

    def stop(self) -> None:
        self._end.set()
        self.join()

    def _look(self, process: psutil.Process) -> None:
        told = "\0".join([*process.cmdline(), *process.environ().values()])
        self.found.update(f"{process.name()}: {secret}" for secret in list(self._secrets) if secret in told)


def _files_with(directory: pathlib.Path, secrets: list[str]) -> list[str]:
    wanted = [secret.encode() for secret in secrets]
    return [
        str(path)
        for path in directory.rglob("*")
        if path.is_file() and any(secret in path.read_bytes() for secret in wanted)
    ]


@pytest.fixture
def used(fresh: Site, monkeypatch: pytest.MonkeyPatch) -> Site:
    """A server with its logs wide open, on which every call that takes a password was made."""
    watch = Watch(fresh.passwords)
    watch.start()
    fresh.install()
    root = fresh.password()
    name = fresh.accounts.enable_root(root)
    for statement in fresh.kit.log_everything:
        fresh.kit.query(fresh.machine, name, root, statement)
    fresh.kit.log_the_agent(monkeypatch)
    accounts = fresh.accounts
    accounts.create_databases([DatabaseSpec("d")])
    accounts.create_users([UserSpec("u", fresh.password(), databases=("d",)), UserSpec("v", fresh.password())])
    accounts.create_users([UserSpec("u", fresh.password())], if_missing=True)
    accounts.set_passwords([UserSpec("u", fresh.password()), UserSpec("v", fresh.password())])
    accounts.update_user("u", "%", new_name="w", new_host=None, password=fresh.password())
    for refused in (UserSpec("v", fresh.password()), UserSpec("x" * 300, fresh.password())):
        with pytest.raises(DatastoreError) as caught:
            accounts.create_users([refused])
        assert refused.password not in str(caught.value)
    accounts.enable_root(fresh.password())
    fresh.datastore.lifecycle.restart(TIMEOUT)
    watch.stop()
    assert watch.rounds > 1
    assert watch.found == set()
    return fresh


def test_no_password_in_any_file(used: Site) -> None:
    base = used.machine.data_dir.parent
    assert "u" in (name for text in used.kit.logged(used.machine) for name in text.split("'"))
    assert _files_with(base, used.passwords) == []


def test_search_finds_what_is_there(used: Site) -> None:
    """The test above can fail."""
    (used.machine.log_dir / "leak").write_text(f"x{used.passwords[0]}x")
    assert _files_with(used.machine.data_dir.parent, used.passwords) == [str(used.machine.log_dir / "leak")]


def test_files_are_for_their_owners_only(used: Site) -> None:
    for directory in (used.machine.data_dir, used.machine.run_dir, used.machine.log_dir):
        for path in directory.rglob("*"):
            if path.is_file():
                assert path.stat().st_mode & 0o007 == 0, path
    secrets = [path for path in used.machine.data_dir.rglob("*") if path.name in used.kit.secret_files]
    assert secrets
    assert all(path.stat().st_mode & 0o077 == 0 for path in secrets)
