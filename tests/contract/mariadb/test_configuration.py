# SPDX-License-Identifier: Apache-2.0
"""Configuration groups on the real server: what it takes at once, at its next start, and not at all."""

import contextlib
import dataclasses
import errno
import os
import pathlib
import re
import time
import types
from collections.abc import Iterator
from typing import Any

import pytest

from dbflow.datastores.mariadb_tuning import MIB
from dbflow.datastores.parameters import Parameter, of_version
from guest.datastores.base import Configuration, DatastoreError, Link, Settings
from guest.datastores.mariadb import config, trial
from guest.datastores.mariadb.client import Client, Session
from guest.datastores.mariadb.layout import Layout
from guest.tasks.configuration import ApplyConfiguration
from guest.tasks.lifecycle import ApplyFlavor
from tests.contract.site import SETTINGS, TIMEOUT, Site
from tests.parameters import QUERY, must_be_right

TEXTS = {
    "character_set_server": "latin1",
    "collation_server": "utf8mb4_bin",
    "default_storage_engine": "MyISAM",
    "init_connect": "SET @a = 'b\\c'",
    "optimizer_switch": "index_merge=off",
}
"""Of parameters that take any text: one that is not the default."""
FILES = {"max_connections": 90, "table_open_cache": 300}
"""Of parameters that need open files: what every machine has."""


def wanted(**overrides: Any) -> Settings:
    return dataclasses.replace(SETTINGS, overrides=overrides)


@pytest.fixture
def session(site: Site) -> Iterator[Session]:
    with Client(Layout.of(site.machine)).session() as opened:
        yield opened


@pytest.fixture
def configuration(site: Site) -> Iterator[Configuration]:
    found = site.datastore.configuration
    assert found is not None
    yield found
    site.datastore.lifecycle.configure(SETTINGS)
    site.datastore.lifecycle.restart(TIMEOUT)


@pytest.fixture
def parameters(session: Session) -> list[Parameter]:
    ((version,),) = session.rows("SELECT VERSION()")
    return list(of_version("mariadb", str(version)))


def running(session: Session) -> dict[str, Any]:
    """Every parameter's value now."""
    rows = session.rows("SELECT VARIABLE_NAME, GLOBAL_VALUE FROM information_schema.SYSTEM_VARIABLES")
    return {str(name).lower(): value for name, value in rows}


def differing(first: dict[str, Any], second: dict[str, Any]) -> set[str]:
    """Names of what is not the same in both."""
    return {name for name in first if first[name] != second[name]}


def typed(parameter: Parameter, value: Any) -> Any:
    """A value that the server tells, as a client of the API writes it."""
    if parameter.type == "boolean":
        return {"ON": True, "OFF": False, "1": True, "0": False}[str(value)]
    return {"integer": int, "float": float, "string": str}[parameter.type](value)


def another(parameter: Parameter, value: Any) -> Any:
    """A value that the parameter does not have."""
    now = typed(parameter, value)
    if parameter.type == "boolean":
        return not now
    if parameter.words:
        return next(word for word in parameter.words if word.casefold() != now.casefold())
    if parameter.name in FILES:
        return FILES[parameter.name]
    if parameter.type == "string":
        return TEXTS[parameter.name]
    assert parameter.max is not None
    assert parameter.min is not None
    high, low = min(parameter.max, 64 * MIB), max(parameter.min, 0)
    return low + (high - low) // 2 if now != low + (high - low) // 2 else high


def test_the_list_is_right_for_this_server(parameters: list[Parameter], session: Session) -> None:
    must_be_right(parameters, session.rows(QUERY))


def test_no_parameter_is_what_dbflow_sets_itself(parameters: list[Parameter], site: Site) -> None:
    assert {one.name for one in parameters} & config.wiring(Layout.of(site.machine)).keys() == set()


def test_a_server_takes_and_starts_with_its_own_values(
    parameters: list[Parameter], session: Session, configuration: Configuration, site: Site
) -> None:
    """So every parameter is known under its name to SET or to the option file, whichever it is for."""
    now = running(session)
    settings = wanted(**{one.name: typed(one, now[one.name]) for one in parameters})
    configuration.check(settings)
    configuration.apply(settings, SETTINGS)
    site.datastore.lifecycle.restart(TIMEOUT)
    with Client(Layout.of(site.machine)).session() as opened:
        after = running(opened)
    now["query_cache_type"] = "ON"  # as a server has it that starts with a size for the cache
    assert {one.name: after[one.name] for one in parameters} == {one.name: now[one.name] for one in parameters}


def test_each_dynamic_parameter_goes_and_comes_back(
    parameters: list[Parameter], session: Session, configuration: Configuration
) -> None:
    first = running(session)
    dynamic = [one for one in parameters if not one.restart_required]
    # Neighbours by name often depend on each other, so every twentieth is tried together.
    for some in (dynamic[begin::20] for begin in range(20)):
        names = {one.name for one in some}
        settings = wanted(**{one.name: another(one, first[one.name]) for one in some})
        configuration.check(settings)
        assert differing(first, running(session)) & names == set(), "changed by the check"
        assert not configuration.apply(settings, SETTINGS), names
        assert differing(first, running(session)) & names == names
        configuration.undo(settings, SETTINGS)
        assert differing(first, running(session)) == set()


def test_static_ones_wait_for_a_restart(session: Session, configuration: Configuration, site: Site) -> None:
    settings = wanted(back_log=99, max_connections=55)
    configuration.check(settings)
    assert configuration.apply(settings, SETTINGS)
    now = running(session)
    assert (now["back_log"], now["max_connections"]) != ("99", "55")
    assert now["max_connections"] == "55"
    assert configuration.apply(settings, SETTINGS), "the same once more"
    assert not configuration.apply(SETTINGS, settings), "what the server runs with is wanted again"
    assert configuration.apply(settings, SETTINGS)
    site.datastore.lifecycle.restart(TIMEOUT)
    with Client(Layout.of(site.machine)).session() as opened:
        assert running(opened)["back_log"] == "99"
    assert configuration.apply(SETTINGS, settings), "back to the default takes a restart, too"


@pytest.mark.parametrize(
    ("overrides", "why"),
    [
        ({"sql_mode": "BOO"}, "sql_mode"),
        ({"thread_handling": "foo"}, "thread_handling"),
        ({"innodb_flush_method": "foo"}, "innodb-flush-method"),
        ({"no_such_parameter": 1}, "no_such_parameter"),
        ({"max_connections": 9_999_999}, "max_connections"),
        ({"max_connections": 60, "character_set_server": "latin9000"}, "latin9000"),
        ({"max_connections": 60, "collation_server": "utf8mb4_nowhere"}, "utf8mb4_nowhere"),
        ({"max_connections": 60, "default_storage_engine": "FOO"}, "FOO"),
        ({"innodb_buffer_pool_size": 1024 * MIB}, "innodb_buffer_pool_size"),
        ({"innodb_log_file_size": 1 << 50}, "half of the volume"),
        ({"performance_schema": True, "performance_schema_max_digest_length": 1 << 20}, "Performance schema disabled"),
        ({"performance_schema": True, "innodb_buffer_pool_size": 400 * MIB}, "MiB of memory at its start"),
        ({"skip_grant_tables": True}, "skip_grant_tables is dbflow's own"),
        ({"init_connect": 'SELECT "x"'}, "init_connect"),
        ({"init_connect": "SELECT 1\u2028skip_grant_tables"}, "init_connect"),
        ({"init_connect": f"{'x' * 4081}skip_grant_tables"}, "init_connect"),
    ],
)
def test_what_a_server_does_not_take_is_refused_and_changes_nothing(
    site: Site, session: Session, overrides: dict[str, Any], why: str
) -> None:
    configuration, layout = site.datastore.configuration, Layout.of(site.machine)
    assert configuration is not None
    before, file = running(session), layout.config.read_text()
    with pytest.raises(DatastoreError, match=re.escape(why)):
        configuration.check(wanted(**overrides))
    assert running(session) == before
    assert layout.config.read_text() == file
    assert list(layout.temporary.iterdir()) == []


def test_what_fails_half_way_is_undone(
    session: Session, configuration: Configuration, site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    before, layout = running(session), Layout.of(site.machine)
    file = layout.config.read_text()
    with pytest.raises(DatastoreError, match="FOO"):
        configuration.apply(wanted(max_connections=60, default_storage_engine="FOO"), SETTINGS)
    assert running(session)["max_connections"] == before["max_connections"]
    assert layout.config.read_text() == file


def test_a_stopped_server_gets_its_values_at_its_start(configuration: Configuration, site: Site) -> None:
    site.datastore.lifecycle.stop(TIMEOUT)
    settings = wanted(back_log=98, max_connections=56)
    configuration.check(settings)
    assert not configuration.apply(settings, SETTINGS)
    site.datastore.lifecycle.start(TIMEOUT)
    with Client(Layout.of(site.machine)).session() as opened:
        now = running(opened)
    assert (now["back_log"], now["max_connections"]) == ("98", "56")


@pytest.mark.parametrize("overrides", [{"character_set_server": "latin1"}, {"collation_server": "latin1_swedish_ci"}])
def test_a_character_set_and_its_collation_go_together(
    configuration: Configuration, site: Site, overrides: dict[str, Any]
) -> None:
    client, settings = Client(Layout.of(site.machine)), wanted(**overrides)
    configuration.check(settings)
    assert not configuration.apply(settings, SETTINGS)
    for _ in range(2):
        with client.session() as session:
            now = running(session)
        assert (now["character_set_server"], now["collation_server"]) == ("latin1", "latin1_swedish_ci")
        site.datastore.lifecycle.restart(TIMEOUT)
    configuration.apply(SETTINGS, settings)
    with client.session() as session:
        assert running(session)["collation_server"] == "utf8mb4_general_ci"


def test_a_server_is_not_installed_with_what_it_does_not_take(fresh: Site) -> None:
    with pytest.raises(DatastoreError, match="sql_mode"):
        fresh.datastore.lifecycle.install(wanted(sql_mode="BOO"), lambda fraction: None)
    fresh.datastore.lifecycle.install(wanted(max_connections=57), lambda fraction: None)
    with Client(Layout.of(fresh.machine)).session() as opened:
        assert running(opened)["max_connections"] == "57"


def test_a_check_is_soon_over_whatever_it_is_asked(site: Site) -> None:
    """The server makes its performance schema, of any size, before it prints its help."""
    began = time.monotonic()
    with pytest.raises(DatastoreError):
        trial.parse(
            wanted(performance_schema=True, performance_schema_max_digest_length=1 << 20), Layout.of(site.machine)
        )
    assert time.monotonic() - began < trial.TIMEOUT / 2


@pytest.mark.parametrize(
    ("overrides", "lowered"),
    [
        ({"max_connections": 100_000}, "max_connections from 100000 to 16770"),
        ({"table_open_cache": 1_048_576}, "table_open_cache from 1048576 to 200"),
        ({"back_log": 90}, None),
    ],
)
def test_what_a_server_would_lower_is_refused(
    site: Site, monkeypatch: pytest.MonkeyPatch, overrides: dict[str, Any], lowered: str | None
) -> None:
    """As it says it where it may open 20000 files."""
    said = (
        "2026-11-22 10:13:57 0 [Warning] Could not increase number of max_open_files to more than 20000 (request: 1)\n"
        "2026-11-22 10:13:57 0 [Warning] Changed limits: max_open_files: 20000  max_connections: 16770 (was 100000)"
        "  table_cache: 200 (was 1048576)\n"
    )
    monkeypatch.setattr(trial, "_read", lambda *_: (said, True))
    with pytest.raises(DatastoreError, match=lowered) if lowered else contextlib.nullcontext():
        trial.parse(wanted(**overrides), Layout.of(site.machine))


@pytest.mark.parametrize(
    ("overrides", "followed"),
    [({"innodb_io_capacity_max": 100}, "innodb_io_capacity"), ({"collation_server": "latin1_bin"}, "collation_server")],
)
def test_what_changed_along_is_put_back(
    session: Session, configuration: Configuration, overrides: dict[str, Any], followed: str
) -> None:
    first, settings = running(session), wanted(**overrides)
    configuration.apply(settings, SETTINGS)
    assert running(session)[followed] != first[followed]
    assert not configuration.apply(SETTINGS, settings)
    assert differing(first, running(session)) == set()


def test_what_a_value_of_the_group_took_along_is_put_back(session: Session, configuration: Configuration) -> None:
    """Neither of the two differs between the group's values before and after."""
    before = wanted(innodb_max_dirty_pages_pct_lwm=60.0)
    configuration.apply(before, SETTINGS)
    first = running(session)
    after = wanted(innodb_max_dirty_pages_pct_lwm=60.0, innodb_max_dirty_pages_pct=50.0)
    configuration.apply(after, before)
    assert float(running(session)["innodb_max_dirty_pages_pct_lwm"]) == 50
    configuration.undo(after, before)
    assert differing(first, running(session)) == set()


def test_undone_while_the_server_does_not_answer_the_file_has_the_old_values(
    configuration: Configuration, site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is what the next start goes by, whatever becomes of the operation."""
    layout = Layout.of(site.machine)
    old, sizes = layout.config.read_text(), {"ram": SETTINGS.ram, "vcpus": SETTINGS.vcpus}
    task = ApplyConfiguration("apply")
    task.bind(site.datastore)
    values = {"overrides": {"max_connections": 61}, "old_overrides": {}}
    task.execute("i", **sizes, **values)
    assert "max_connections = 61" in layout.config.read_text()

    @contextlib.contextmanager
    def silent(client: Client, timeout: float = 60.0) -> Iterator[Session]:
        raise DatastoreError("The database server does not answer.")
        yield

    with monkeypatch.context() as patched:
        patched.setattr(Client, "session", silent)
        with pytest.raises(DatastoreError):
            task.revert("i", **sizes, **values)
        assert layout.config.read_text() == old
        with pytest.raises(DatastoreError):
            task.execute("i", **sizes, **values)
        assert layout.config.read_text() == old
    task.revert("i", **sizes, **values)


def test_a_server_starts_whatever_its_users_may_take(configuration: Configuration, site: Site) -> None:
    settings = wanted(max_statement_time=0.000001)
    configuration.check(settings)
    configuration.apply(settings, SETTINGS)
    site.datastore.lifecycle.restart(TIMEOUT)
    configuration.undo(settings, SETTINGS)


def test_a_size_that_is_too_small_for_the_group_is_not_written(site: Site) -> None:
    layout, task = Layout.of(site.machine), ApplyFlavor("apply-flavor")
    task.bind(site.datastore)
    before, overrides = layout.config.read_text(), {"innodb_buffer_pool_size": 300 * MIB}
    with pytest.raises(DatastoreError, match="innodb_buffer_pool_size"):
        task.execute("i", 256, 1, overrides, SETTINGS.ram, 1)
    assert layout.config.read_text() == before


def test_nothing_is_fetched_for_a_restore_whose_values_do_not_fit(fresh: Site) -> None:
    backups, fetched = fresh.datastore.backups, []
    assert backups is not None
    with pytest.raises(DatastoreError, match="innodb_buffer_pool_size"):
        backups.restore(wanted(innodb_buffer_pool_size=1024 * MIB), [Link("physical", {})], fetched.append)
    assert fetched == []


def test_whether_a_restart_is_due_is_told(configuration: Configuration, site: Site) -> None:
    lifecycle, settings = site.datastore.lifecycle, wanted(back_log=97)
    assert lifecycle.health().restart_required is False
    configuration.apply(settings, SETTINGS)
    assert lifecycle.health().restart_required is True
    process = site.process()
    assert process is not None
    process.kill()
    process.wait(TIMEOUT)
    lifecycle.resume()
    assert lifecycle.health().restart_required is False, "the agent has started it with all values"


def test_what_dead_agents_left_is_removed(site: Site) -> None:
    layout = Layout.of(site.machine)
    old, fresh = layout.temporary / ".trial-old", layout.temporary / ".trial-fresh"
    for path in (old, fresh):
        path.mkdir()
        (path / "server.cnf").touch()
    half = layout.state / ".server.cnf.abc"
    half.touch()
    for path in (old, half):
        os.utime(path, (time.time() - 3600,) * 2)
    site.datastore.lifecycle.resume()
    assert (old.exists(), half.exists(), fresh.exists()) == (False, False, True)
    (fresh / "server.cnf").unlink()
    fresh.rmdir()


def test_a_full_volume_is_told_in_words(
    configuration: Configuration, site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: Any, **__: Any) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patched:
        patched.setattr(trial, "tempfile", types.SimpleNamespace(TemporaryDirectory=full))
        with pytest.raises(DatastoreError, match="No space left"):
            configuration.check(wanted(back_log=90))
    with monkeypatch.context() as patched:
        patched.setattr(pathlib.Path, "replace", full)
        with pytest.raises(DatastoreError, match="No space left"):
            configuration.apply(wanted(back_log=90), SETTINGS)
