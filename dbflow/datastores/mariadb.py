# SPDX-License-Identifier: Apache-2.0
"""MariaDB, as the control plane sees it."""

import re
from collections.abc import Mapping

from dbflow.datastores import base
from dbflow.datastores.base import Feature, Strategy
from dbflow.datastores.invalid import Invalid
from dbflow.datastores.mariadb_charsets import CHARSETS, canonical
from dbflow.datastores.mariadb_tuning import tuned
from dbflow.datastores.parameters import Value

DATABASE_NAME_MAX = 64
USER_NAME_MAX = 128
HOST_MAX = 255
ADMIN_USER = "dbflow_admin"
"""dbflow's own administrator, on the database server's machine only."""
REPLICATION_USER = "dbflow_replication"
"""As which replicas log in to their source."""
SCRIPT_USER = "dbflow_script"
"""As which scripts that others have written are run, and who defines what they make."""

_OWN = frozenset(
    {
        "basedir",
        "bind_address",
        "binlog_do_db",
        "binlog_expire_logs_seconds",
        "binlog_format",
        "binlog_ignore_db",
        "bootstrap",
        "chroot",
        "core_file",
        "datadir",
        "defaults_file",
        "enforce_storage_engine",
        "expire_logs_days",
        "external_locking",
        "feedback",
        "general_log",
        "general_log_file",
        "init_file",
        "init_slave",
        "local_infile",
        "log_bin",
        "log_bin_index",
        "log_error",
        "log_output",
        "log_slave_updates",
        "max_binlog_size",
        "old_passwords",
        "pid_file",
        "port",
        "read_only",
        "secure_auth",
        "secure_file_priv",
        "server_id",
        "slow_query_log",
        "slow_query_log_file",
        "socket",
        "strict_password_validation",
        "symbolic_links",
        "sync_binlog",
        "sync_master_info",
        "tmpdir",
        "user",
    }
)
_OWN_PREFIXES = (
    "gtid_",
    "loose_",
    "master_",
    "plugin_",
    "relay_",
    "replicate_",
    "require_secure",
    "rpl_",
    "skip_",
    "slave_",
    "ssl",
    "tls_",
    "wsrep",
)
"""Parameters that make a server dbflow's, or end that: whatever an administrator offers, no group sets them."""

_HOST = re.compile(r"[\w.:%/*-]+", re.ASCII)


_NEXT: Mapping[str, frozenset[str]] = {"10.11": frozenset({"11.8"})}
"""Release -> later ones that its data can be upgraded to at once."""


class MariaDB(base.Datastore):
    """MariaDB 10.11 and 11.8: names and limits are the server's own."""

    name = "mariadb"
    manager = "mariadb"
    ports = (3306,)
    capabilities = frozenset(Feature)
    reserved_databases = frozenset({"mysql", "information_schema", "performance_schema", "sys", "lost+found"})
    reserved_users = frozenset({"root", "mariadb.sys", "mysql", "public", ADMIN_USER, REPLICATION_USER, SCRIPT_USER})
    strategies = (Strategy.PHYSICAL, Strategy.LOGICAL)
    charsets = CHARSETS

    def default_configuration(self, ram: int, vcpus: int) -> Mapping[str, Value]:
        """See the base class. Without the redo log's size, which follows the volume's file system, too."""
        found = tuned(ram, vcpus, disk=0)
        del found["innodb_log_file_size"]
        return found

    def upgrade_path(self, old: str, new: str) -> str | None:
        """See the base class. A release's versions follow each other; the next releases are those that are tried."""
        before, after = self.release(old), self.release(new)
        if before == after:
            return "minor" if _numbers(new) >= _numbers(old) else None
        return "major" if after in _NEXT.get(before, ()) else None

    def is_own_parameter(self, name: str) -> bool:
        """See the base class."""
        return name in _OWN or name.startswith(_OWN_PREFIXES)

    def check_database(self, name: str, character_set: str | None = None, collate: str | None = None) -> None:
        """See the base class."""
        _check_name("name", "database", name, DATABASE_NAME_MAX)
        if self.is_reserved_database(name):
            raise Invalid("name", f'The database name "{name}" is reserved.')
        charset = canonical(character_set) if character_set is not None else None
        if charset is not None and charset not in self.charsets:
            raise Invalid("character_set", f'"{character_set}" is not a character set of MariaDB.')
        if collate is not None:
            self._check_collation(collate, charset)

    def _check_collation(self, collate: str, charset: str | None) -> None:
        collation = canonical(collate)
        if not any(collation in known for known in self.charsets.values()):
            raise Invalid("collate", f'"{collate}" is not a collation of MariaDB.')
        if charset is not None and collation not in self.charsets[charset]:
            raise Invalid("collate", f'Collation "{collate}" does not belong to character set "{charset}".')

    def check_user(self, name: str, host: str = "%") -> None:
        """See the base class."""
        _check_name("name", "user", name, USER_NAME_MAX)
        if self.is_reserved_user(name):
            raise Invalid("name", f'The user name "{name}" is reserved.')
        if len(host) > HOST_MAX:
            raise Invalid("host", f"A host may have at most {HOST_MAX} characters.")
        if not _HOST.fullmatch(host):
            raise Invalid("host", f'"{host}" is not a host name, an address or a pattern of one.')

    def check_grant(self, database: str) -> None:
        """See the base class. The server keeps the pattern of a grant in 64 characters, and ``_``, ``%`` and ``\\``
        take two each there."""
        if len(database) + sum(database.count(character) for character in "_%\\") > DATABASE_NAME_MAX:
            raise Invalid(
                "databases",
                f'The database name "{database}" is too long to be granted: each "_", "%" and "\\" in it counts'
                f" twice, and {DATABASE_NAME_MAX} characters are the limit.",
            )

    def check_password(self, password: str) -> None:
        """See the base class."""
        if not password:
            raise Invalid("password", "A password must not be empty.")
        if "\0" in password:
            raise Invalid("password", "A password must not hold a NUL character.")


def _numbers(version: str) -> list[int]:
    return [int(part) for part in re.findall(r"\d+", version)]


def _check_name(field: str, what: str, name: str, longest: int) -> None:
    """The server keeps names in three-byte UTF-8: what lies beyond becomes "?" or is refused; spaces at the end
    of a name are lost."""
    if not name:
        raise Invalid(field, f"A {what} name must not be empty.")
    if len(name) > longest:
        raise Invalid(field, f"A {what} name may have at most {longest} characters.")
    if name != name.strip():
        raise Invalid(field, f"A {what} name must not begin or end with a space.")
    if any(ord(character) < 32 or ord(character) > 0xFFFF or 0xD800 <= ord(character) < 0xE000 for character in name):
        raise Invalid(field, f"A {what} name must not hold control characters or characters beyond U+FFFF.")
