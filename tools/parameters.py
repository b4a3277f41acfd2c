# SPDX-License-Identifier: Apache-2.0
"""Write the parameters that configuration groups may set, as the MariaDB server of this machine knows them, or that of
an image of ``tools/rootfs.sh``: ``.venv/bin/python tools/parameters.py [IMAGE/bin]`` makes
``dbflow/datastores/parameters/mariadb-<version>.json``.

Names are chosen in ``parameters.txt``; types, bounds and words come from the server. Left out is what belongs to dbflow
(addresses, paths, logs, replication, TLS), what only makes sense before the data directory is made (page size, names of
tables and files), what a running server does not take or give back as it says, and what would lock dbflow's own
administrator out.
"""

import json
import os
import pathlib
import re
import socket
import sys
import tempfile

from dbflow.datastores import parameters
from guest.datastores.base import Machine, Settings
from guest.datastores.mariadb import Datastore
from guest.datastores.mariadb.client import Client
from guest.datastores.mariadb.layout import Layout

USER = "dbflow-db"
CHOSEN = pathlib.Path(__file__).with_suffix(".txt")
_COLUMNS = "VARIABLE_NAME, VARIABLE_TYPE, READ_ONLY, NUMERIC_MIN_VALUE, NUMERIC_MAX_VALUE, ENUM_VALUE_LIST"
_TYPES = {"BOOLEAN": "boolean", "DOUBLE": "float"}
_WORDS = {"ENUM", "SET"}
_NOT_OFFERED = {
    # One connection at a time, so that nobody, the agent neither, gets in beside it.
    "no-threads",
    # Words for the command line, which a running server does not take.
    "DISABLED",
    "ORIGINAL",
}
_NO_HOME = {"SEQUENCE", "PERFORMANCE_SCHEMA"}
"""Engines in which nobody can make a table."""
_LEAST = {
    # dbflow's own statements have some thousand bytes.
    "max_allowed_packet": 1 << 20,
}
_MOST = {
    # Of memory a server that has it on takes some ten thousand times that, before it looks at anything else.
    "performance_schema_max_digest_length": 4096,
}


def main(programs: pathlib.Path | None = None) -> None:
    """Ask a fresh server, and write the file of its version. ``programs``: where they are, if not this machine's."""
    with tempfile.TemporaryDirectory(prefix="dbflow-parameters-") as place:
        version, rows, engines = _ask(pathlib.Path(place), programs)
    release = re.match(r"\d+\.\d+", version)
    assert release is not None, version
    known = {str(row[0]).lower(): row for row in rows}
    chosen = CHOSEN.read_text(encoding="utf-8").split()
    made = [_parameter(known[name]) for name in chosen if name in known]
    for one in made:
        if one["name"] == "default_storage_engine":
            # A server that does not run would not look whether there is one of that name before its next start.
            one |= {"words": engines, "several": False}
    path = pathlib.Path(parameters.__file__).parent / f"mariadb-{release[0]}.json"
    lines = ",\n".join(f"  {json.dumps(one)}" for one in made)
    path.write_text(f'{{"server": "{version}", "parameters": [\n{lines}\n]}}\n')
    print(
        f"{path}: {len(made)} parameters of MariaDB {version}; not there: {sorted(set(chosen) - set(known)) or 'none'}"
    )


def _ask(place: pathlib.Path, programs: pathlib.Path | None) -> tuple[str, list[tuple[object, ...]], list[str]]:
    """(the server's version, what it says of its variables, its engines)"""
    place.chmod(0o755)
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    user = USER if os.geteuid() == 0 else None
    machine = Machine(
        "parameters", "127.0.0.1", port, place / "data", place / "run", place / "log", user, programs=programs
    )
    datastore = Datastore(machine)
    datastore.lifecycle.install(Settings(ram=512, vcpus=1), lambda fraction: None)
    try:
        with Client(Layout.of(machine)).session() as session:
            ((version,),) = session.rows("SELECT VERSION()")
            rows = session.rows(f"SELECT {_COLUMNS} FROM information_schema.SYSTEM_VARIABLES")
            engines = session.rows(
                "SELECT ENGINE FROM information_schema.ENGINES WHERE SUPPORT <> 'NO' ORDER BY ENGINE"
            )
    finally:
        datastore.lifecycle.stop(60)
    return str(version).partition("-")[0], rows, [str(one) for (one,) in engines if one not in _NO_HOME]


def _parameter(row: tuple[object, ...]) -> dict[str, object]:
    name, kind, read_only, low, high, words = (None if value is None else str(value) for value in row)
    assert name is not None
    assert kind is not None
    made: dict[str, object] = {"name": name.lower(), "restart_required": read_only == "YES"}
    if "INT" in kind:
        made |= {
            "type": "integer",
            "min": max(int(low or 0), _LEAST.get(name.lower(), 0)),
            "max": min(int(high or 0), _MOST.get(name.lower(), int(high or 0))),
        }
    elif kind == "DOUBLE":
        made |= {"type": "float", "min": float(low or 0), "max": float(high or 0)}
    else:
        made["type"] = _TYPES.get(kind, "string")
        if kind in _WORDS and words:
            offered = [word for word in words.split(",") if word not in _NOT_OFFERED]
            made |= {"words": offered, "several": kind == "SET"}
    return made


if __name__ == "__main__":
    main(pathlib.Path(sys.argv[1]).resolve() if len(sys.argv) > 1 else None)
