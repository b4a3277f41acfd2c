# SPDX-License-Identifier: Apache-2.0
"""Rotating the keys of secrets at rest: complete, harmless to who writes meanwhile, and finished after a crash."""

import os
import pathlib
import signal
import stat
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest
import sqlalchemy as sa
from cryptography.fernet import Fernet

from dbflow import faults, resealing
from dbflow.crypto import BadSeal, Keyring
from dbflow.db.models import (
    Authority,
    Base,
    IdempotencyKey,
    Instance,
    InstanceTls,
    Module,
    Operation,
    ProjectKey,
    utcnow,
)
from dbflow.keyfile import KeyFile
from dbflow.persistence.tables import ATOMS
from tests.unit.manage.conftest import Deployment
from tests.waiting import wait_for

MANY = 3 * resealing.BATCH + 7


@pytest.fixture
def filled(deployment: Deployment) -> Deployment:
    """Something in every column that is sealed, more than one batch of operations."""
    operation = deployment.operation()
    seal = deployment.keyring.seal
    with deployment.database.write() as session:
        session.execute(sa.update(Instance).values(guest_key=seal("guest key"), replication=seal({"password": "p"})))
        values = {name: seal({name: 1}) for name in ("results", "failure", "revert_results", "revert_failure")}
        session.execute(sa.update(ATOMS).where(ATOMS.c.parent_uuid == operation.flow_uuid).values(**values))
        session.add(
            IdempotencyKey(
                project_id="p", user_id="u", key="k", fingerprint="f", status=200, answer=seal("it"), created=utcnow()
            )
        )
        session.add(ProjectKey(project_id="p", sealed=seal("project key")))
        session.add(InstanceTls(instance_id="i", mode="basic", sealed=seal("identity")))
        session.add(Module(name="m", type="ping", contents=seal("contents"), md5="m"))
        always = {"signs_from": utcnow(), "expires": utcnow()}
        session.add(Authority(project_id="p", number=1, certificate="c", sealed=seal("authority key"), **always))
        session.add_all(
            Operation(
                kind="instance.create", version=1, target_type="instance", target_id="i", project_id="p", user_id="u",
                arguments=seal({"number": number}), priority="NORMAL",
            )
            for number in range(MANY)
        )  # fmt: skip
    return deployment


def _values(deployment: Deployment) -> Iterator[tuple[str, str]]:
    """(column, sealed value) of everything in the database that looks sealed."""
    for table in Base.metadata.sorted_tables:
        with deployment.database.read() as session:
            for row in session.execute(sa.select(table)).mappings():
                yield from ((f"{table.name}.{name}", value) for name, value in row.items() if _is_sealed(value))


def _is_sealed(value: Any) -> bool:
    return isinstance(value, str) and value.startswith("gAAAA")


def _file(deployment: Deployment) -> KeyFile:
    return KeyFile(deployment.path / "keys")


def _opened_by(deployment: Deployment, key: bytes) -> set[str]:
    ring, found = Keyring([key]), set()
    for column, value in _values(deployment):
        try:
            ring.unseal(value)
        except BadSeal:
            continue
        found.add(column)
    return found


def _columns(deployment: Deployment) -> set[str]:
    return {column for column, _ in _values(deployment)}


def test_rotate_seals_everything_anew_and_prune_drops_the_old_key(filled: Deployment) -> None:
    (old,) = _file(filled).keys()
    before = len(list(_values(filled)))
    assert {str(column) for column in resealing.SEALED} == _columns(filled) == _opened_by(filled, old)
    done = filled.answer("key", "rotate")
    assert (done["resealed"], done["unreadable"]) == (before, 0)
    new, kept = _file(filled).keys()
    assert kept == old
    assert _opened_by(filled, old) == set()
    assert _opened_by(filled, new) == _columns(filled)
    assert filled.answer("key", "prune")["dropped"] == 1
    assert _file(filled).keys() == [new]
    assert stat.S_IMODE(_file(filled).path.stat().st_mode) == 0o600
    assert [path.name for path in filled.path.glob("keys*")] == ["keys"]


def test_prune_keeps_what_is_needed(filled: Deployment) -> None:
    old = Keyring(_file(filled).keys())
    filled.answer("key", "rotate")
    with filled.database.write() as session:  # by a process on a machine that has the old file
        session.execute(sa.update(Instance).values(guest_key=old.seal("late")))
    assert filled.run("key", "prune") == 1
    assert "1 values are sealed with older keys" in filled.capsys.readouterr().err
    assert len(_file(filled).keys()) == 2
    assert filled.answer("key", "rotate")["resealed"] == 1, "goes on, and makes no third key"
    assert filled.answer("key", "prune")["dropped"] == 1


def test_a_staged_key_seals_from_the_rotation_on(filled: Deployment) -> None:
    (old,) = _file(filled).keys()
    filled.answer("key", "stage")
    filled.answer("key", "stage")
    first, staged = _file(filled).keys()
    assert first == old
    text = Keyring([old]).seal("x")
    elsewhere = Keyring.from_file(_file(filled).path)
    assert elsewhere.reseal(text) == text, "does not seal yet"
    assert elsewhere.unseal(Keyring([staged]).seal("y")) == "y", "but unseals"
    filled.answer("key", "rotate")
    assert _file(filled).keys() == [staged, old]
    filled.answer("key", "prune")
    assert _file(filled).keys() == [staged]


@pytest.mark.parametrize("point", ["key.rotate.written", "key.rotate.batch"])
def test_a_rotation_that_was_killed_is_finished_by_the_next(filled: Deployment, point: str) -> None:
    (old,) = _file(filled).keys()
    armed = filled.path / "faults"
    armed.mkdir()
    (armed / point).write_text("kill")
    command = [pathlib.Path(sys.executable).parent / "dbflow-manage", "--config-file", str(filled.path / "dbflow.conf")]
    ended = subprocess.run(
        [*command, "key", "rotate"], env={**os.environ, faults.VARIABLE: str(armed)}, check=False, timeout=120
    )
    assert ended.returncode == -signal.SIGKILL
    halfway = len(_file(filled).keys())
    assert halfway == 2
    assert _opened_by(filled, old), "something is left to do"
    assert filled.run("key", "prune") == 1
    filled.capsys.readouterr()
    filled.answer("key", "rotate")
    new, _ = _file(filled).keys()
    assert _opened_by(filled, old) == set()
    assert _opened_by(filled, new) == _columns(filled)
    assert filled.answer("key", "prune")["dropped"] == 1


def test_what_is_written_meanwhile_stays(filled: Deployment, monkeypatch: pytest.MonkeyPatch) -> None:
    """Between the reading of a batch and its writing."""
    ring = Keyring.from_file(_file(filled).path)
    resealed = resealing._resealed

    def beside(keyring: Keyring, text: str) -> str:
        if keyring.unseal(text) == "guest key":
            with filled.database.write() as session:
                session.execute(sa.update(Instance).values(guest_key=ring.seal("newer")))
        return resealed(keyring, text)

    monkeypatch.setattr(resealing, "_resealed", beside)
    filled.answer("key", "rotate")
    with filled.database.read() as session:
        assert ring.unseal(session.scalars(sa.select(Instance.guest_key)).one()) == "newer"


def test_unreadable_values_are_said(filled: Deployment) -> None:
    with filled.database.write() as session:
        session.execute(sa.update(Instance).values(guest_key=Keyring([Fernet.generate_key()]).seal("lost")))
    assert filled.run("key", "rotate") == 1
    assert "1 values are sealed with a key that is not in the file" in filled.capsys.readouterr().err


def test_a_running_service_takes_up_the_new_key(filled: Deployment) -> None:
    service = Keyring.from_file(_file(filled).path)
    (old,) = _file(filled).keys()
    filled.answer("key", "rotate")
    fresh = service.seal("x")
    with pytest.raises(BadSeal):
        Keyring([old]).unseal(fresh)
    assert service.unseal(Keyring([old]).seal("y")) == "y"
    filled.answer("key", "prune")
    with pytest.raises(BadSeal):
        service.unseal(Keyring([old]).seal("y"))
    assert service.unseal(fresh) == "x"


def test_a_key_file_that_can_not_be_read_changes_nothing(filled: Deployment) -> None:
    service, file = Keyring.from_file(_file(filled).path), _file(filled).path
    sealed = service.seal("x")
    file.write_text("")
    assert service.unseal(sealed) == "x"
    file.chmod(0o644)
    assert service.unseal(sealed) == "x"
    file.unlink()
    assert service.unseal(sealed) == "x"


def test_an_unreadable_key_file_is_told_of_once(filled: Deployment, caplog: pytest.LogCaptureFixture) -> None:
    service, file = Keyring.from_file(_file(filled).path), _file(filled).path
    whole = file.read_text()

    def warnings() -> int:
        caplog.clear()
        for _ in range(3):
            service.unseal(service.seal("x"))
        return len([record for record in caplog.records if record.name == "dbflow.crypto"])

    file.write_text("")
    assert warnings() == 1
    assert warnings() == 0
    file.unlink()
    assert warnings() == 1, "this is something else"
    file.write_text(whole)
    file.chmod(0o600)
    assert warnings() == 0
    file.write_text("")
    assert warnings() == 1, "and this is new"


@pytest.mark.parametrize("verb", ["stage", "rotate", "prune"])
def test_one_verb_at_a_time(filled: Deployment, verb: str) -> None:
    """Another process waits for the end of this one's."""
    file = _file(filled)
    before = file.path.read_bytes()
    command = [pathlib.Path(sys.executable).parent / "dbflow-manage", "--config-file", str(filled.path / "dbflow.conf")]
    with file.locked():
        other = subprocess.Popen([*command, "key", verb], stdout=subprocess.DEVNULL)
        try:
            wait_for(lambda: _waits_for_a_lock(other.pid) or other.poll() is not None, 60, "the other to come so far")
            assert other.poll() is None, "it did not wait"
            assert file.path.read_bytes() == before
        except BaseException:
            other.kill()
            raise
    assert other.wait(60) == 0


def _waits_for_a_lock(pid: int) -> bool:
    """As Linux lists it: ``1: -> FLOCK ADVISORY WRITE pid …``"""
    lines = [line.split() for line in pathlib.Path("/proc/locks").read_text().splitlines()]
    return any(line[1:3] == ["->", "FLOCK"] and line[5] == str(pid) for line in lines)


def test_prune_drops_what_it_looked_at_only(filled: Deployment, monkeypatch: pytest.MonkeyPatch) -> None:
    """Somebody copies a file over this one between the look and the drop."""
    file = _file(filled)
    filled.answer("key", "rotate")
    older = file.keys()

    def beside(*_: object) -> int:
        file.stage()
        file.rotate()
        return 0

    monkeypatch.setattr("dbflow.cmd.manage.keys.still_needed", beside)
    assert filled.run("key", "prune") == 1
    assert "was replaced meanwhile; nothing is dropped" in filled.capsys.readouterr().err
    assert file.keys()[1:] == older
