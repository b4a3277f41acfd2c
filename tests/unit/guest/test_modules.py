# SPDX-License-Identifier: Apache-2.0
"""What the guest knows of its modules, whatever breaks off where; the type is a fake that counts."""

import base64
import copy
import datetime
import os
import pathlib
import stat
import types
from collections.abc import Callable
from typing import Any

import pytest

from guest.datastores.base import Datastore, DatastoreError, NotFound, Untouched
from guest.modules import ModuleType
from guest.modules.changes import Modules
from guest.modules.kept import DIRECTORY, Kept

FIRST, SECOND = "6d6e8a2c-8f0e-4f4b-9c8f-0f5e7a1b2c30", "7e7f9b3d-901f-405c-8d90-106f8b2c3d41"


class Killed(BaseException):
    """The agent's end: nothing of ours is run any more."""


class Fake(ModuleType):
    """Notes what it is asked, and fails as it is told to."""

    def __init__(self) -> None:
        self.calls: list[str] = []
        self.unready: Exception | None = None
        self.fails: dict[str, list[BaseException]] = {}
        """By call, what it raises the next times, after it has noted it."""

    def ready(self, datastore: Datastore) -> None:
        if self.unready is not None:
            raise self.unready

    def apply(self, contents: bytes, datastore: Datastore) -> str:
        self._call(f"apply {contents.decode()}")
        return f"{contents.decode()} applied"

    def remove(self, contents: bytes, datastore: Datastore) -> None:
        self._call(f"remove {contents.decode()}")

    def _call(self, call: str) -> None:
        self.calls.append(call)
        if self.fails.get(call):
            raise self.fails[call].pop(0)

    def asked(self) -> list[str]:
        """Since the last time."""
        calls, self.calls = self.calls, []
        return calls


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> Fake:
    made = Fake()
    monkeypatch.setattr("guest.modules.changes.load", lambda name: made)
    return made


@pytest.fixture
def modules(tmp_path: pathlib.Path, fake: Fake) -> Modules:
    datastore: Any = types.SimpleNamespace(machine=types.SimpleNamespace(data_dir=tmp_path))
    return Modules(datastore)


@pytest.fixture
def kept(tmp_path: pathlib.Path) -> Kept:
    return Kept(tmp_path)


def module(contents: str, mark: str, module_id: str = FIRST) -> dict[str, Any]:
    known = dict.fromkeys(("type", "md5", "datastore", "datastore_version", "tenant"), "x")
    switches = dict.fromkeys(("auto_apply", "visible", "is_admin"), False)
    secret = base64.b64encode(contents.encode()).decode()
    return {**known, **switches, "id": module_id, "name": contents, "secret": secret, "mark": mark}


def applied(modules: Modules, fake: Fake, contents: str, mark: str) -> None:
    modules.apply(module(contents, mark))
    fake.asked()


def broken(modules: Modules, fake: Fake, contents: str, mark: str, error: BaseException) -> None:
    """An apply that fails so."""
    fake.fails[f"apply {contents}"] = [error]
    with pytest.raises(type(error)):
        modules.apply(module(contents, mark))
    fake.asked()


def seen(modules: Modules) -> list[tuple[str, str]]:
    return [(one["name"], one["status"]) for one in modules.every()]


def killed_at(monkeypatch: pytest.MonkeyPatch, write: int, *, before: bool) -> None:
    """The agent dies at its so many-th note, before or after it is on the disk."""
    original, count = Kept.write, iter(range(1, 100))

    def dying(self: Kept, record: dict[str, Any]) -> None:
        number = next(count)
        if number == write and before:
            raise Killed
        original(self, record)
        if number == write:
            raise Killed

    monkeypatch.setattr(Kept, "write", dying)


def test_applied_once_for_each_mark(modules: Modules, fake: Fake) -> None:
    assert modules.apply(module("one", "a")) == "one applied"
    assert modules.apply(module("one", "a")) == "one applied"
    assert fake.asked() == ["apply one"]
    modules.apply(module("one", "b"))
    assert fake.asked() == ["apply one"]


@pytest.mark.parametrize("before", [True, False])
@pytest.mark.parametrize("write", [1, 2])
@pytest.mark.parametrize("there", [True, False])
def test_an_agent_that_dies_in_an_apply(
    modules: Modules, fake: Fake, kept: Kept, monkeypatch: pytest.MonkeyPatch, write: int, before: bool, there: bool
) -> None:
    """It goes on where it is asked again; and undone it is as before, also twice."""
    if there:
        applied(modules, fake, "old", "a")
    known = kept.read(FIRST)
    with monkeypatch.context() as patch:
        killed_at(patch, write, before=before)
        with pytest.raises(Killed):
            modules.apply(module("new", "b"))
    snapshot = copy.deepcopy(kept.read(FIRST))
    begun = fake.asked()
    modules.apply(module("new", "b"))
    assert seen(modules) == [("new", "OK")]
    assert fake.asked() == ([] if (write, before) == (2, False) else ["apply new"])
    if snapshot is None:
        kept.forget(FIRST)
    else:
        kept.write(snapshot)
    for _ in range(2):
        modules.back(FIRST, "b")
        assert kept.read(FIRST) == known
    never = (write, before) == (1, True)
    assert begun == ([] if write == 1 else ["apply new"])
    assert fake.asked() == ([] if never else ["apply old"] if there else ["remove new"])


def test_an_agent_that_dies_while_the_type_is_at_work(modules: Modules, fake: Fake) -> None:
    broken(modules, fake, "one", "a", Killed())
    assert seen(modules) == [("one", "APPLYING")]
    modules.apply(module("one", "a"))
    assert (seen(modules), fake.asked()) == ([("one", "OK")], ["apply one"])
    broken(modules, fake, "two", "b", Killed())
    modules.back(FIRST, "b")
    assert (seen(modules), fake.asked()) == ([("one", "OK")], ["apply one"])


def test_one_that_fails_is_undone(modules: Modules, fake: Fake, kept: Kept) -> None:
    broken(modules, fake, "one", "a", DatastoreError("late"))
    for _ in range(2):
        modules.back(FIRST, "a")
    assert (kept.every(), fake.asked()) == ([], ["remove one"])


def test_another_marks_change_is_not_undone(modules: Modules, fake: Fake) -> None:
    applied(modules, fake, "one", "a")
    modules.back(FIRST, "b")
    modules.back(SECOND, "a")
    assert (seen(modules), fake.asked()) == ([("one", "OK")], [])


def nothing(modules: Modules, fake: Fake) -> None:
    """Is known of it."""


def whole(modules: Modules, fake: Fake) -> None:
    applied(modules, fake, "old", "a")


def half_applied(modules: Modules, fake: Fake) -> None:
    broken(modules, fake, "old", "a", DatastoreError("late"))


def half_removed(modules: Modules, fake: Fake) -> None:
    applied(modules, fake, "old", "a")
    fake.fails["remove old"] = [DatastoreError("late")]
    with pytest.raises(DatastoreError):
        modules.remove(FIRST, "r")
    fake.asked()


BEFORE = (nothing, whole, half_applied, half_removed)


@pytest.mark.parametrize("before", BEFORE)
def test_an_apply_that_did_nothing_leaves_what_was_known(
    modules: Modules, fake: Fake, kept: Kept, before: Callable[[Modules, Fake], None]
) -> None:
    before(modules, fake)
    known = kept.read(FIRST)
    broken(modules, fake, "new", "b", Untouched("refused"))
    assert kept.read(FIRST) == known
    modules.back(FIRST, "b")
    assert (kept.read(FIRST), fake.asked()) == (known, [])


@pytest.mark.parametrize("before", BEFORE[1:])
def test_a_removal_that_did_nothing_leaves_what_was_known(
    modules: Modules, fake: Fake, kept: Kept, before: Callable[[Modules, Fake], None]
) -> None:
    before(modules, fake)
    known = kept.read(FIRST)
    fake.fails["remove old"] = [Untouched("refused")]
    with pytest.raises(Untouched):
        modules.remove(FIRST, "b")
    assert (kept.read(FIRST), fake.asked()) == (known, ["remove old"])
    modules.back(FIRST, "b")
    assert (kept.read(FIRST), fake.asked()) == (known, []), "what was not undone is not done again"


def test_a_later_run_that_did_nothing_knows_that_an_earlier_one_may_have(modules: Modules, fake: Fake) -> None:
    broken(modules, fake, "one", "a", Killed())
    broken(modules, fake, "one", "a", Untouched("it is there"))
    assert seen(modules) == [("one", "APPLYING")]
    modules.back(FIRST, "a")
    assert (seen(modules), fake.asked()) == ([], ["remove one"])


@pytest.mark.parametrize("write", [1, 2])
@pytest.mark.parametrize("forget", [True, False])
def test_an_agent_that_dies_in_a_removal(
    modules: Modules, fake: Fake, kept: Kept, monkeypatch: pytest.MonkeyPatch, write: int, forget: bool
) -> None:
    applied(modules, fake, "one", "a")
    known = kept.read(FIRST)
    with monkeypatch.context() as patch:
        killed_at(patch, write, before=False)
        with pytest.raises(Killed):
            modules.remove(FIRST, "b", forget=forget)
    for _ in range(2):
        modules.remove(FIRST, "b", forget=forget)
        assert seen(modules) == []
    assert fake.asked() == ([] if forget else ["remove one"])
    for _ in range(2):
        modules.back(FIRST, "b")
        assert kept.read(FIRST) == known
    assert fake.asked() == ([] if forget else ["apply one"])


def test_removed_ones_are_known_until_the_next_change(modules: Modules, fake: Fake, kept: Kept) -> None:
    applied(modules, fake, "one", "a")
    modules.remove(FIRST, "b")
    with pytest.raises(NotFound):
        modules.contents(FIRST)
    modules.remove(SECOND, "b")
    assert kept.read(FIRST) is not None, "it may have to be put back"
    modules.apply(module("two", "c", SECOND))
    assert kept.read(FIRST) is None
    assert base64.b64decode(modules.contents(SECOND)) == b"two"


def test_the_last_good_one_is_what_is_gone_back_to(modules: Modules, fake: Fake) -> None:
    applied(modules, fake, "good", "a")
    broken(modules, fake, "bad", "b", DatastoreError("late"))
    broken(modules, fake, "worse", "c", DatastoreError("late"))
    modules.back(FIRST, "c")
    assert (seen(modules), fake.asked()) == ([("good", "OK")], ["apply good"])


def test_nothing_is_noted_where_nothing_can_be_done(modules: Modules, fake: Fake, kept: Kept) -> None:
    fake.unready = DatastoreError("read-only")
    with pytest.raises(DatastoreError, match="read-only"):
        modules.apply(module("one", "a"))
    assert kept.every() == []
    fake.unready = None
    applied(modules, fake, "one", "a")
    known, fake.unready = kept.read(FIRST), DatastoreError("read-only")
    with pytest.raises(DatastoreError, match="read-only"):
        modules.remove(FIRST, "b")
    assert (kept.read(FIRST), fake.asked()) == (known, [])


def test_listed_the_oldest_first_without_contents(modules: Modules) -> None:
    """Also those of one second."""
    ids = [f"{number}{FIRST[1:]}" for number in (3, 1, 4, 5, 9, 2)]
    for module_id in ids:
        modules.apply(module("x", "a", module_id))
    told = modules.every()
    assert [one["id"] for one in told] == ids
    assert all(datetime.datetime.fromisoformat(one["created"]).microsecond == 0 for one in told)
    assert not any("secret" in one or "mark" in one for one in told)


def test_for_the_agents_eyes_only(modules: Modules, kept: Kept, tmp_path: pathlib.Path) -> None:
    modules.apply(module("one", "a"))
    directory = tmp_path / DIRECTORY
    assert [stat.S_IMODE(path.stat().st_mode) for path in (directory, directory / FIRST)] == [0o700, 0o600]
    for path in ("../../../../etc/passwd", "x", "", f"{FIRST}/.."):
        with pytest.raises(ValueError, match="no id"):
            kept.read(path)


def test_a_full_volume(modules: Modules, fake: Fake, kept: Kept, monkeypatch: pytest.MonkeyPatch) -> None:
    applied(modules, fake, "one", "a")
    known = kept.read(FIRST)

    def full(handle: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        modules.apply(module("two", "b"))
    assert (kept.read(FIRST), fake.asked()) == (known, [])
    assert [path.name for path in (kept._directory).iterdir()] == [FIRST]
