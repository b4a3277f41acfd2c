# SPDX-License-Identifier: Apache-2.0
"""Security groups: nftables in each server's network namespace.

There is no agent that Neutron would tell of changes, so its tables are read, and a namespace whose rules are others
than before is loaded anew: all of it in one transaction of the kernel's.
"""

import json
import subprocess
from collections.abc import Iterable, Mapping
from typing import Any

import pymysql

from devcloud.fabric import names
from devcloud.fabric.rules import Rule, Tables, ruleset
from devcloud.settings import LOOPBACK, PASSWORD, Settings

PAUSE = 0.4
"""Seconds between looks."""
COLUMNS = ", ".join(Rule._fields)
OFF = "SELECT port_id FROM portsecuritybindings WHERE port_security_enabled = 0"


class SecurityGroups:
    """Of a cloud's servers."""

    def __init__(self, settings: Settings) -> None:
        self._guests = settings.directory / "guests"
        self._login: dict[str, Any] = {
            "host": LOOPBACK,
            "port": settings.port("mariadb"),
            "user": "devcloud",
            "password": PASSWORD,
        }
        self._connection: Any = None
        self._loaded: dict[str, str] = {}

    def look(self) -> None:
        """Load what has changed. pymysql.Error when Neutron's tables can't be read."""
        servers = dict(self._servers())
        self._loaded = {namespace: text for namespace, text in self._loaded.items() if namespace in servers}
        if not servers:
            return
        tables = self._read()
        for namespace, ports in servers.items():
            text = ruleset(ports, tables)
            if self._loaded.get(namespace) != text:
                _load(namespace, text)
                self._loaded[namespace] = text

    def forget(self, namespace: str) -> None:
        """It goes; another may come under its name."""
        self._loaded.pop(namespace, None)

    def _servers(self) -> Iterable[tuple[str, Mapping[str, str]]]:
        """Namespace, and port's id -> device."""
        for path in self._guests.iterdir():
            try:
                ports = json.loads((path / "vifs.json").read_text())
            except FileNotFoundError:
                continue
            if names.exists(names.of_server(path.name)):
                yield names.of_server(path.name), {port["id"]: port["device"] for port in ports}

    def _read(self) -> Tables:
        try:
            if self._connection is None:
                self._connection = pymysql.connect(**self._login, database="neutron", autocommit=True)
            with self._connection.cursor() as cursor:
                return Tables(
                    rules=[
                        Rule(*row) for row in _rows(cursor, f"SELECT {COLUMNS} FROM securitygrouprules ORDER BY id")
                    ],
                    groups=_rows(
                        cursor, "SELECT port_id, security_group_id FROM securitygroupportbindings ORDER BY 1, 2"
                    ),
                    addresses=_rows(cursor, "SELECT port_id, ip_address FROM ipallocations ORDER BY 1, 2"),
                    unfiltered={row[0] for row in _rows(cursor, OFF)},
                )
        except pymysql.Error:
            self._connection = None
            raise


def _rows(cursor: Any, statement: str) -> list[Any]:
    cursor.execute(statement)
    return list(cursor.fetchall())


def _load(namespace: str, text: str) -> None:
    argv = ["ip", "netns", "exec", namespace, "nft", "-f", "-"]
    done = subprocess.run(argv, input=text, text=True, capture_output=True, check=False)
    if done.returncode:
        print(f"nft in {namespace}: {done.stderr}", flush=True)
