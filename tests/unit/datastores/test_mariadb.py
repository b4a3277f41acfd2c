# SPDX-License-Identifier: Apache-2.0
"""What the control plane takes for MariaDB."""

import subprocess
import sys

import pytest

from dbflow import datastores
from dbflow.datastores import Feature, Invalid
from dbflow.datastores.mariadb import MariaDB

MARIADB = MariaDB()


def test_loaded_by_manager() -> None:
    assert "mariadb" in datastores.managers()
    assert isinstance(datastores.load("mariadb"), MariaDB)
    assert datastores.load("mariadb") is datastores.load("mariadb")
    with pytest.raises(LookupError, match="'oracle'"):
        datastores.load("oracle")


def test_capabilities() -> None:
    assert MARIADB.supports(Feature.ROOT)
    assert "users" in MARIADB.capabilities
    assert MARIADB.ports == (3306,)


@pytest.mark.parametrize("name", ["d", "a_b", "a%b", "with space", "a`b", "日本", "a/b", "..", "x" * 64])
def test_database_names(name: str) -> None:
    MARIADB.check_database(name)


@pytest.mark.parametrize(
    "name", ["", " a", "a ", "a\0b", "a\nb", "😀", "\ud800", "x" * 65, "mysql", "SYS", "Information_Schema"]
)
def test_bad_database_names(name: str) -> None:
    with pytest.raises(Invalid) as caught:
        MARIADB.check_database(name)
    assert caught.value.field == "name"


@pytest.mark.parametrize(
    ("character_set", "collate"),
    [
        (None, None),
        ("utf8", "utf8_general_ci"),
        ("UTF8MB4", "utf8mb4_unicode_520_nopad_ci"),
        ("latin1", None),
        (None, "utf8mb4_uca1400_swedish_as_ci"),
        ("binary", "binary"),
    ],
)
def test_character_sets(character_set: str | None, collate: str | None) -> None:
    MARIADB.check_database("d", character_set, collate)


@pytest.mark.parametrize(
    ("character_set", "collate", "field"),
    [
        ("klingon", None, "character_set"),
        ("", None, "character_set"),
        ("utf8mb4", "utf8mb4_0900_ai_ci", "collate"),
        ("latin1", "utf8mb4_general_ci", "collate"),
        (None, "", "collate"),
    ],
)
def test_bad_character_sets(character_set: str | None, collate: str | None, field: str) -> None:
    with pytest.raises(Invalid) as caught:
        MARIADB.check_database("d", character_set, collate)
    assert caught.value.field == field


@pytest.mark.parametrize(
    "host", ["%", "10.0.%", "::1", "fe80::%", "localhost", "192.168.0.0/255.255.255.0", "_.example.org"]
)
def test_hosts(host: str) -> None:
    MARIADB.check_user("u", host)


@pytest.mark.parametrize("host", ["", "a b", "a'b", "h" * 256, "a\n", "bü"])
def test_bad_hosts(host: str) -> None:
    with pytest.raises(Invalid) as caught:
        MARIADB.check_user("u", host)
    assert caught.value.field == "host"


@pytest.mark.parametrize("name", ["", "root", "ROOT", "mariadb.sys", "dbflow_admin", "public", "x" * 129, "u ", "😀"])
def test_bad_user_names(name: str) -> None:
    with pytest.raises(Invalid) as caught:
        MARIADB.check_user(name)
    assert caught.value.field == "name"


def test_passwords() -> None:
    MARIADB.check_password("'\"\\😀 ")
    for bad in ("", "secret\0"):
        with pytest.raises(Invalid) as caught:
            MARIADB.check_password(bad)
        assert caught.value.field == "password"
        assert "secret" not in str(caught.value)


def test_needs_nothing_but_the_standard_library() -> None:
    """Guests carry it too."""
    program = (
        "import sys; before = set(sys.modules); import dbflow.datastores.mariadb; "
        "print(*{name for name, module in sys.modules.items() if module} - before)"
    )
    answer = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    foreign = {name.split(".")[0] for name in answer.stdout.split()} - set(sys.stdlib_module_names) - {"dbflow"}
    assert foreign == set()
    assert "dbflow.db" not in answer.stdout


def test_what_groups_may_set_is_not_dbflows_own() -> None:
    names = [one.name for one in MARIADB.parameters("10.11.14")]
    assert len(names) > 200
    assert [name for name in names if MARIADB.is_own_parameter(name)] == []
    assert MARIADB.is_own_parameter("skip_grant_tables")
    assert MARIADB.is_own_parameter("plugin_load_add")


@pytest.mark.parametrize(
    "name",
    [
        "binlog_do_db",
        "binlog_expire_logs_seconds",
        "binlog_format",
        "expire_logs_days",
        "gtid_domain_id",
        "gtid_strict_mode",
        "init_slave",
        "log_bin",
        "log_slave_updates",
        "max_binlog_size",
        "sync_binlog",
        "read_only",
        "replicate_do_db",
        "rpl_semi_sync_master_enabled",
        "rpl_semi_sync_master_timeout",
        "rpl_semi_sync_slave_enabled",
        "server_id",
        "skip_log_bin",
        "slave_net_timeout",
    ],
)
def test_no_group_undoes_replication(name: str) -> None:
    assert MARIADB.is_own_parameter(name)
