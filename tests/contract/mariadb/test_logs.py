# SPDX-License-Identifier: Apache-2.0
"""The logs of a real server: switched, sent in parts, begun anew."""

import dataclasses
import errno
from collections.abc import Iterator
from typing import Any

import pytest

from guest.datastores.base import DatastoreError, Logs, LogStatus, NotFound, UserSpec
from guest.datastores.mariadb import logs as mariadb_logs
from guest.datastores.mariadb import quoting
from guest.datastores.mariadb.client import Client, Session
from guest.datastores.mariadb.layout import Layout
from tests.contract.site import SETTINGS, TIMEOUT, Site

AS_A_USER = "SET SESSION sql_log_off = 0, slow_query_log = 1"
"""dbflow's own sessions are in no log."""


@pytest.fixture
def session(site: Site) -> Iterator[Session]:
    with Client(Layout.of(site.machine)).session() as opened:
        opened.run(AS_A_USER)
        yield opened


@pytest.fixture
def logs(site: Site) -> Iterator[Logs]:
    found, layout = site.datastore.logs, Layout.of(site.machine)
    assert found is not None
    yield found
    for name in mariadb_logs.SWITCHES:
        found.disable(name)
        layout.log_file(name).unlink(missing_ok=True)
    layout.logs.unlink()


class Sent:
    """An object store made of a dictionary."""

    def __init__(self) -> None:
        self.objects: dict[str, bytes] = {}
        self.lines = 0

    def __call__(self, name: str, data: bytes, lines: int) -> None:
        self.objects[name] = data
        self.lines += lines

    @property
    def text(self) -> str:
        return b"".join(self.objects[name] for name in sorted(self.objects)).decode()


def status(logs: Logs, name: str) -> LogStatus:
    return logs.one(name).status


def test_what_there_is(logs: Logs) -> None:
    assert {one.name: one.type for one in logs.every()} == {"general": "USER", "slow_query": "USER", "error": "SYS"}
    assert status(logs, "general") == LogStatus.DISABLED
    error = logs.one("error")
    assert (error.status, error.published, error.pending > 0) == (LogStatus.READY, 0, True)
    for call in (logs.one, logs.enable, logs.disable, logs.discard):
        with pytest.raises(NotFound):
            call("audit")
    for call in (logs.enable, logs.disable):
        with pytest.raises(NotFound):
            call("error")


def test_the_general_log(logs: Logs, session: Session) -> None:
    logs.enable("general")
    session.run("SELECT 'written down'")
    first = logs.one("general")
    assert (first.status, first.published, first.pending > 0) == (LogStatus.READY, 0, True)
    sent = Sent()
    logs.publish("general", sent)
    assert "written down" in sent.text
    assert sent.lines == sent.text.count("\n")
    session.run("SELECT 'and more'")
    partial = logs.one("general")
    assert (partial.status, partial.published, partial.pending > 0) == (LogStatus.PARTIAL, len(sent.text), True)
    logs.disable("general")
    session.run("SELECT 'in silence'")
    logs.publish("general", sent)
    assert "and more" in sent.text
    assert "in silence" not in sent.text
    assert (status(logs, "general"), logs.one("general").pending) == (LogStatus.PUBLISHED, 0)
    before = dict(sent.objects)
    logs.publish("general", sent)
    assert sent.objects == before, "nothing new"
    before_them = logs.discard("general")
    assert status(logs, "general") == LogStatus.DISABLED
    again = Sent()
    logs.publish("general", again)
    assert again.text == sent.text
    assert max(sent.objects) < before_them < min(again.objects)


def test_what_dbflow_does_is_in_no_log(logs: Logs, site: Site) -> None:
    """A log is its users': no passwords, not even as the server keeps them, and no looks at the server."""
    logs.enable("general")
    logs.enable("slow_query")
    with Client(Layout.of(site.machine)).session() as session:
        session.run("SET GLOBAL long_query_time = 0")
    password = site.password()
    site.accounts.create_users([UserSpec("logged", password)])
    site.accounts.delete_user("logged", "%")
    site.datastore.lifecycle.health()
    site.datastore.lifecycle.restart(TIMEOUT)
    for name in mariadb_logs.SWITCHES:
        text = Layout.of(site.machine).log_file(name).read_text()
        assert "started with:" in text
        assert not [
            word for word in ("logged", "IDENTIFIED", "SHOW GRANTS", quoting.password_hash(password)) if word in text
        ]


def test_a_busy_log_has_an_end(logs: Logs, session: Session) -> None:
    """What is written while it is published is left for the next time."""
    logs.enable("general")
    sent = Sent()

    def busy(name: str, data: bytes, lines: int) -> None:
        sent(name, data, lines)
        session.run("SELECT 'meanwhile'")

    logs.publish("general", busy)
    assert (len(sent.objects), "meanwhile" in sent.text) == (1, False)
    logs.publish("general", sent)
    assert sent.text.count("meanwhile") == 1


def test_a_log_that_can_not_be_switched_is_as_before(logs: Logs, site: Site) -> None:
    site.datastore.lifecycle.stop(TIMEOUT)
    with pytest.raises(DatastoreError):
        logs.enable("general")
    assert status(logs, "general") == LogStatus.DISABLED
    site.datastore.lifecycle.start(TIMEOUT)
    logs.enable("general")


def test_slow_queries(logs: Logs, site: Site) -> None:
    logs.enable("slow_query")
    client = Client(Layout.of(site.machine))
    with client.session() as session:
        session.run(AS_A_USER)
        session.run("SET SESSION long_query_time = 0.01")
        session.run("SELECT SLEEP(0.05), 'slow'")
        # The server answers first and logs then: it takes the next statement when the line is written.
        session.run("DO 1")
    sent = Sent()
    logs.publish("slow_query", sent)
    assert "'slow'" in sent.text
    logs.disable("slow_query")


def test_a_log_stays_on(logs: Logs, site: Site) -> None:
    """Through a restart, and through another configuration of the server."""
    logs.enable("general")
    site.datastore.lifecycle.configure(dataclasses.replace(SETTINGS, overrides={"max_connections": 50}))
    site.datastore.lifecycle.restart(TIMEOUT)
    with Client(Layout.of(site.machine)).session() as session:
        assert session.rows("SELECT @@GLOBAL.general_log, @@GLOBAL.max_connections") == [(1, 50)]
    logs.disable("general")
    site.datastore.lifecycle.restart(TIMEOUT)
    with Client(Layout.of(site.machine)).session() as session:
        assert session.rows("SELECT @@GLOBAL.general_log, @@GLOBAL.max_connections") == [(0, 50)]
    site.datastore.lifecycle.configure(SETTINGS)
    site.datastore.lifecycle.restart(TIMEOUT)


def test_a_file_that_was_begun_anew_is_sent_from_its_beginning(logs: Logs, session: Session, site: Site) -> None:
    logs.enable("general")
    session.run("SELECT 'of the first file'")
    sent = Sent()
    logs.publish("general", sent)
    layout = Layout.of(site.machine)
    layout.log_file("general").rename(site.machine.log_dir / "general.old")
    layout.log_file("general").touch(mode=0o640)
    layout.owner.give(layout.log_file("general"))
    session.run("FLUSH GENERAL LOGS")
    session.run("SELECT 'of the second file'")
    assert status(logs, "general") == LogStatus.ROTATED
    logs.publish("general", sent)
    assert (sent.text.count("of the first file"), sent.text.count("of the second file")) == (1, 1)
    assert len(sent.objects) == 2
    (site.machine.log_dir / "general.old").unlink()


def test_parts_end_with_a_line(logs: Logs, session: Session, site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mariadb_logs, "_PART", 2000)
    logs.enable("general")
    for number in range(50):
        session.run(f"SELECT 'line {number} {'x' * 100}'")
    logs.disable("general")
    sent = Sent()
    logs.publish("general", sent)
    assert len(sent.objects) > 2
    assert all(part.endswith(b"\n") for part in sent.objects.values())
    assert sent.text.encode() == Layout.of(site.machine).log_file("general").read_bytes()


def test_an_interrupted_publish_sends_nothing_twice(logs: Logs, session: Session) -> None:
    """The store has the object, but the agent died before it could remember it."""
    logs.enable("general")
    session.run("SELECT 'once'")
    sent = Sent()

    def dying(name: str, data: bytes, lines: int) -> None:
        sent(name, data, lines)
        raise ConnectionError

    with pytest.raises(ConnectionError):
        logs.publish("general", dying)
    session.run("SELECT 'later'")
    logs.publish("general", sent)
    assert (sent.text.count("'once'"), sent.text.count("'later'"), len(sent.objects)) == (1, 1, 1)


def test_a_long_log_is_sent_by_and_by(logs: Logs, session: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    """The guest's other tasks wait for a publish."""
    monkeypatch.setattr(mariadb_logs, "_PART", 1000)
    monkeypatch.setattr(mariadb_logs, "_MOST", 3000)
    logs.enable("general")
    for number in range(50):
        session.run(f"SELECT 'line {number} {'x' * 100}'")
    logs.disable("general")
    sent, first = Sent(), logs.one("general").pending
    logs.publish("general", sent)
    assert (status(logs, "general"), 0 < len(sent.text) <= 3000) == (LogStatus.PARTIAL, True)
    monkeypatch.setattr(mariadb_logs, "_LONGEST", 0.0)
    logs.publish("general", sent)
    assert len(sent.text) <= 3000, "the time was over"
    monkeypatch.setattr(mariadb_logs, "_LONGEST", 60.0)
    for _ in range(20):
        logs.publish("general", sent)
    assert (len(sent.text), status(logs, "general")) == (first, LogStatus.PUBLISHED)


def test_a_large_log_is_begun_anew(logs: Logs, session: Session, site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    logs.enable("general")
    path, sent = Layout.of(site.machine).log_file("general"), Sent()
    session.run(f"SELECT '{'x' * 5000}'")
    logs.publish("general", sent)
    logs.bound()
    assert path.stat().st_size > 5000
    monkeypatch.setattr(mariadb_logs, "_LARGEST", 5000)
    logs.bound()
    assert (path.stat().st_size, status(logs, "general")) == (0, LogStatus.ROTATED)
    session.run("SELECT 'goes on'")
    data = path.read_bytes()
    assert (b"goes on" in data, b"\0" in data, len(data) < 1000) == (True, False, True)
    logs.publish("general", sent)
    assert sent.text.count("goes on") == 1


@pytest.mark.parametrize("on", [True, False])
def test_whom_an_agent_that_died_left_of_two_minds(
    logs: Logs, session: Session, site: Site, monkeypatch: pytest.MonkeyPatch, on: bool
) -> None:
    """It had told the server, and not yet written it down."""

    def die(*_: Any) -> None:
        raise SystemExit

    if not on:
        logs.enable("general")
    with monkeypatch.context() as patched:
        patched.setattr(mariadb_logs, "write", die)
        with pytest.raises(SystemExit):
            (logs.enable if on else logs.disable)("general")
    assert session.rows("SELECT @@GLOBAL.general_log") == [(int(on),)]
    site.after_agent_restart().lifecycle.resume()
    assert session.rows("SELECT @@GLOBAL.general_log") == [(int(not on),)]
    assert (status(logs, "general") == LogStatus.DISABLED) == on


def test_what_can_not_be_remembered_is_not_switched_on(
    logs: Logs, session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: Any) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(mariadb_logs, "write", full)
        with pytest.raises(DatastoreError, match="No space left"):
            logs.enable("general")
    assert session.rows("SELECT @@GLOBAL.general_log") == [(0,)]
    logs.enable("general")
    with monkeypatch.context() as patched:
        patched.setattr(mariadb_logs, "write", full)
        with pytest.raises(DatastoreError, match="No space left"):
            logs.disable("general")
    assert session.rows("SELECT @@GLOBAL.general_log") == [(0,)], "it had better be off"


def test_links_of_the_servers_user_lead_nowhere(logs: Logs, site: Site) -> None:
    layout = Layout.of(site.machine)
    path = layout.log_file("slow_query")
    path.symlink_to(layout.secret)
    for call in (logs.enable, logs.one, lambda name: logs.publish(name, Sent())):
        with pytest.raises(DatastoreError, match="can't be opened"):
            call("slow_query")
    assert layout.secret.read_text()
    path.unlink()


def test_nor_does_the_error_log(fresh: Site) -> None:
    """The agent makes it, and has the server write there."""
    elsewhere = fresh.machine.data_dir.parent / "elsewhere"
    fresh.machine.log_dir.mkdir(parents=True)
    Layout.of(fresh.machine).log.symlink_to(elsewhere)
    with pytest.raises(DatastoreError, match="can't be opened"):
        fresh.install()
    assert not elsewhere.exists()
