# SPDX-License-Identifier: Apache-2.0
"""The server's configuration, from the flavor.

With R MiB of memory, V processors and a data file system of D MiB:

======================== =======================================================================
buffer pool              70 % of what is left after 160 MiB for the server itself, in steps of
                         16 MiB, at least 32 (256 MiB -> 64, 1 GiB -> 592, 64 GiB -> 45760)
redo log                 a quarter of the buffer pool, 16 MiB … 2 GiB, at most D/16
max_connections          one for 8 MiB, 40 … 4000
key buffer               R/64, 8 … 256 MiB (MyISAM is rare)
Aria page cache          R/32, 8 … 1024 MiB (system tables, temporary tables on disk)
temporary tables         R/64, 4 … 256 MiB each in memory
table cache              2 R, 400 … 8000 tables
InnoDB threads           V purge threads (1 … 4), V read and V write threads (2 … 16)
binary log               kept for a day, in files of D/64, 4 … 256 MiB
======================== =======================================================================

The overrides of a configuration group come after these, and what makes it this instance's server (addresses,
paths, security) comes last, where nothing overrides it.
"""

import re
import zlib
from collections.abc import Iterator, Mapping
from typing import Any

from guest.datastores.base import DatastoreError, Settings
from guest.datastores.mariadb.layout import Layout

MIB = 1024 * 1024
_PARAMETER = re.compile(r"[a-z][a-z0-9_]*")


def render(settings: Settings, layout: Layout, disk: int) -> str:
    """The text of the option file; ``disk`` is the size of the data file system in MiB."""
    sections = (tuned(settings.ram, settings.vcpus, disk), settings.overrides, wiring(layout))
    lines = [line for section in sections for line in _lines(section)]
    return "\n".join(["[mariadbd]", *lines, ""])


def tuned(ram: int, vcpus: int, disk: int) -> dict[str, Any]:
    """Parameters that follow the size of the machine (see the module's table)."""
    pool = max(32, (ram - 160) * 7 // 10 // 16 * 16)
    temporary = _between(4, ram // 64, 256) * MIB
    return {
        "innodb_buffer_pool_size": pool * MIB,
        "innodb_log_file_size": max(4, min(_between(16, pool // 4, 2048), disk // 16)) * MIB,
        "max_connections": _between(40, ram // 8, 4000),
        "key_buffer_size": _between(8, ram // 64, 256) * MIB,
        "aria_pagecache_buffer_size": _between(8, ram // 32, 1024) * MIB,
        "tmp_table_size": temporary,
        "max_heap_table_size": temporary,
        "table_open_cache": _between(400, ram * 2, 8000),
        "innodb_purge_threads": _between(1, vcpus, 4),
        "innodb_read_io_threads": _between(2, vcpus, 16),
        "innodb_write_io_threads": _between(2, vcpus, 16),
        "max_binlog_size": _between(4, disk // 64, 256) * MIB,
        "binlog_expire_logs_seconds": 86400,
        "sync_binlog": 1,
        "character_set_server": "utf8mb4",
        "collation_server": "utf8mb4_general_ci",
    }


def wiring(layout: Layout) -> dict[str, Any]:
    """What makes it this instance's server."""
    machine = layout.machine
    return {
        "bind_address": machine.address,
        "port": machine.port,
        "socket": layout.socket,
        "pid_file": layout.pid_file,
        "log_error": layout.log,
        "tmpdir": layout.temporary,
        "init_file": layout.init_sql,
        "secure_file_priv": layout.exchange,
        "server_id": server_id(machine.instance_id),
        # From the first start on, so that replicas can be made of a running server.
        "log_bin": layout.binlog / "binlog",
        "relay_log": layout.binlog / "relay",
        "log_slave_updates": True,
        "binlog_format": "ROW",
        "gtid_strict_mode": True,
        "rpl_semi_sync_master_wait_point": "AFTER_SYNC",
        "rpl_semi_sync_master_wait_no_slave": True,
        # A source that is away is asked for until it is back.
        "master_retry_count": 0,
        "skip_name_resolve": True,
        "local_infile": False,
        "symbolic_links": False,
    }


def server_id(instance_id: str) -> int:
    """From 1 to 2**32 - 1, the same for the same instance."""
    return zlib.crc32(instance_id.encode()) or 1


def _between(low: int, value: int, high: int) -> int:
    return max(low, min(value, high))


def _lines(parameters: Mapping[str, Any]) -> Iterator[str]:
    for name, value in parameters.items():
        if not _PARAMETER.fullmatch(name):
            raise DatastoreError(f"{name!r} is not the name of a configuration parameter.")
        yield f"{name} = {_value(name, value)}"


def _value(name: str, value: Any) -> str:
    if isinstance(value, bool):
        return "1" if value else "0"
    if isinstance(value, int | float):
        return str(value)
    text = str(value)
    # An option file knows no escape for the quote and ends a value at the line's end.
    if any(character in text for character in '"\n\r\0'):
        raise DatastoreError(f"The value of the parameter {name} holds a quote or a line break.")
    return '"' + text.replace("\\", "\\\\") + '"'
