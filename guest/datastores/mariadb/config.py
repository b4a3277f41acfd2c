# SPDX-License-Identifier: Apache-2.0
"""The server's configuration: what follows from the flavor (:mod:`dbflow.datastores.mariadb_tuning`), then the
overrides of a configuration group, and last, where nothing overrides it, what makes it this instance's server:
addresses, paths, security.
"""

import json
import re
import zlib
from collections.abc import Iterator, Mapping
from typing import Any

from dbflow.datastores.mariadb import MariaDB
from dbflow.datastores.mariadb_tuning import largest_io_capacity, tuned
from guest.datastores.base import DatastoreError, Settings
from guest.datastores.mariadb import binlog
from guest.datastores.mariadb.layout import Layout

_LOG_LINE = re.compile(r"(log_output|general_log|slow_query_log)(_file)? = ")
_PARAMETER = re.compile(r"[a-z][a-z0-9_]*")
_DATASTORE = MariaDB()
_LONGEST = 4000
"""Bytes of a line. The server reads 4096 at a time, and takes what is beyond for another line."""


def render(settings: Settings, layout: Layout, disk: int) -> str:
    """The text of the option file; ``disk`` is the size of the data file system in MiB."""
    check_names(settings, layout)
    own = {**wiring(layout), **logs(layout), "max_binlog_size": binlog.file_size(disk)}
    return text({**effective(settings, disk), **own})


def text(parameters: Mapping[str, Any]) -> str:
    """An option file of these parameters."""
    return "\n".join(["[mariadbd]", *_lines(parameters), ""])


def effective(settings: Settings, disk: int) -> dict[str, Any]:
    """What follows from the flavor and the data's file system (``disk`` MiB), and the group's values over it with
    what goes with them: a character set and its collation, the usual capacity and the largest."""
    follows = tuned(settings.ram, settings.vcpus, disk)
    collation = str(settings.overrides.get("collation_server", ""))
    if "character_set_server" in settings.overrides:
        del follows["collation_server"]
    elif collation:
        follows["character_set_server"] = collation.partition("_")[0]
    if "innodb_io_capacity" in settings.overrides:
        follows["innodb_io_capacity_max"] = largest_io_capacity(int(settings.overrides["innodb_io_capacity"]))
    return {**follows, **settings.overrides}


def check_names(settings: Settings, layout: Layout) -> None:
    """DatastoreError where the overrides hold what no group may set, and what the wiring does not write over."""
    for name in settings.overrides.keys() - wiring(layout).keys():
        if _DATASTORE.is_own_parameter(name):
            raise DatastoreError(f"The parameter {name} is dbflow's own.")


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
        "binlog_expire_logs_seconds": 86400,
        "gtid_strict_mode": True,
        "rpl_semi_sync_master_wait_point": "AFTER_SYNC",
        "rpl_semi_sync_master_wait_no_slave": True,
        # What a replica has acknowledged, its source has too, also after a power failure.
        "sync_binlog": 1,
        # After a power failure, too, it follows whom it followed.
        "sync_master_info": 1,
        # A source that is away is asked for until it is back, a try each second; 0 would end some tries for good.
        "master_retry_count": 2**32 - 1,
        # Seconds until a source that is silent counts as away.
        "slave_net_timeout": 10,
        "skip_name_resolve": True,
        "local_infile": False,
        "symbolic_links": False,
    }


def logs(layout: Layout) -> dict[str, Any]:
    """The logs that are on."""
    found: dict[str, Any] = {}
    for name, state in log_states(layout).items():
        if state.get("enabled"):
            switch = f"{name}_log"
            found |= {switch: True, f"{switch}_file": layout.log_file(name)}
    return found and {"log_output": "FILE", **found}


def log_states(layout: Layout) -> dict[str, dict[str, Any]]:
    """Log -> {"enabled", "published" (bytes), "header", "generation"}, whatever there is."""
    try:
        states: dict[str, dict[str, Any]] = json.loads(layout.logs.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    return states


def with_logs(text_now: str, layout: Layout) -> str:
    """An option file with the logs that are on now, and all else as it was."""
    kept = [line for line in lines_of(text_now) if not _LOG_LINE.match(line)]
    return "\n".join([*kept, *_lines(logs(layout)), ""])


def lines_of(text: str) -> list[str]:
    """Of an option file. Only the line feed ends one there, where Python knows others, too."""
    return [line for line in text.split("\n") if line]


def server_id(instance_id: str) -> int:
    """From 1 to 2**32 - 1, the same for the same instance."""
    return zlib.crc32(instance_id.encode()) or 1


def _lines(parameters: Mapping[str, Any]) -> Iterator[str]:
    for name, value in parameters.items():
        if not _PARAMETER.fullmatch(name):
            raise DatastoreError(f"{name!r} is not the name of a configuration parameter.")
        line = f"{name} = {_value(name, value)}"
        if len(line.encode()) > _LONGEST:
            raise DatastoreError(f"The value of the parameter {name} is too long.")
        yield line


def _value(name: str, value: Any) -> str:
    if isinstance(value, bool):
        return "1" if value else "0"
    if isinstance(value, int | float):
        return str(value)
    text = str(value)
    # An option file knows no escape for the quote and ends a value at the line's end.
    if '"' in text or not text.isprintable():
        raise DatastoreError(f"The value of the parameter {name} holds a quote or a control character.")
    return '"' + text.replace("\\", "\\\\") + '"'
