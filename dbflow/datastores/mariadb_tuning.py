# SPDX-License-Identifier: Apache-2.0
"""MariaDB's parameters that follow the size of the machine.

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
threads of a replica     V that apply, 2 … 8
InnoDB's writes          200 a second, 2000 when it must
threads kept             one for each connection, at most 256
======================== =======================================================================
"""

from typing import Any

MIB = 1024 * 1024
IO_CAPACITY = 200


def tuned(ram: int, vcpus: int, disk: int) -> dict[str, Any]:
    """Parameters that follow the size of the machine (see the module's table)."""
    pool = max(32, (ram - 160) * 7 // 10 // 16 * 16)
    connections = _between(40, ram // 8, 4000)
    temporary = _between(4, ram // 64, 256) * MIB
    return {
        "innodb_buffer_pool_size": pool * MIB,
        "innodb_log_file_size": max(4, min(_between(16, pool // 4, 2048), disk // 16)) * MIB,
        "max_connections": connections,
        "thread_cache_size": min(connections, 256),
        "key_buffer_size": _between(8, ram // 64, 256) * MIB,
        "aria_pagecache_buffer_size": _between(8, ram // 32, 1024) * MIB,
        "tmp_table_size": temporary,
        "max_heap_table_size": temporary,
        "table_open_cache": _between(400, ram * 2, 8000),
        "innodb_purge_threads": _between(1, vcpus, 4),
        "innodb_read_io_threads": _between(2, vcpus, 16),
        "innodb_write_io_threads": _between(2, vcpus, 16),
        "innodb_io_capacity": IO_CAPACITY,
        "innodb_io_capacity_max": largest_io_capacity(IO_CAPACITY),
        # Transactions are applied at once where they can be, and committed in their source's order.
        "slave_parallel_threads": _between(2, vcpus, 8),
        "slave_parallel_mode": "optimistic",
        # Without it only administrators make functions and triggers; rows are logged, so none of them is unsafe.
        "log_bin_trust_function_creators": True,
        "character_set_server": "utf8mb4",
        "collation_server": "utf8mb4_general_ci",
    }


def largest_io_capacity(usual: int) -> int:
    """What a server makes of it at its start; one that runs does not."""
    return max(2000, 2 * usual)


def _between(low: int, value: int, high: int) -> int:
    return max(low, min(value, high))
