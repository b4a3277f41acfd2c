# SPDX-License-Identifier: Apache-2.0
"""Names and values as MariaDB writes them. Every statement dbflow makes is put together from these."""

import hashlib
import re
import unicodedata

from pymysql.converters import escape_string

from guest.datastores.base import DatastoreError

_CHARSET = re.compile(r"[A-Za-z0-9_]{1,64}")


def identifier(name: str) -> str:
    """A database name between backticks."""
    return f"`{_storable(name).replace('`', '``')}`"


def literal(value: str) -> str:
    """A string between quotes; dbflow's sessions fix an sql_mode in which the backslash escapes."""
    return f"'{escape_string(value)}'"


def account(name: str, host: str) -> str:
    """``'name'@'host'``."""
    return f"{literal(_storable(name))}@{literal(_storable(host))}"


def charset(name: str) -> str:
    """A character set or collation, which the grammar takes as a bare word."""
    if not _CHARSET.fullmatch(name):
        raise DatastoreError(f"{name!r} is not the name of a character set or collation.")
    return name


def grant_pattern(database: str) -> str:
    """The pattern that matches this database only: in GRANT ``_`` and ``%`` stand for any character(s)."""
    return re.sub(r"([\\_%])", r"\\\1", database)


def database_of_pattern(pattern: str) -> str:
    """The name that :func:`grant_pattern` made this pattern of."""
    return re.sub(r"\\([\\_%])", r"\1", pattern)


def password_hash(password: str) -> str:
    """What mysql_native_password stores. Made here, so that the clear text never becomes part of a statement:
    general, binary, slow and error logs and the process list have nothing to show."""
    if not password:
        raise DatastoreError("A password must not be empty.")
    inner = hashlib.sha1(password.encode(), usedforsecurity=False).digest()
    return "*" + hashlib.sha1(inner, usedforsecurity=False).hexdigest().upper()


def _storable(name: str) -> str:
    """Refuse what the server would keep as something else: it turns characters beyond U+FFFF into ``?`` and drops
    spaces at the end, so the account made would not be the account named."""
    if name != name.rstrip(" ") or any(ord(c) > 0xFFFF or unicodedata.category(c) in {"Cc", "Cs"} for c in name):
        raise DatastoreError(f"MariaDB can't keep the name {name!r}.")
    return name
