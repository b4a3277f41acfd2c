# SPDX-License-Identifier: Apache-2.0
"""``replication``: how long nobody can write or read while replicas are made, promoted, ejected, and what is lost."""

import argparse
import contextlib
import time
from typing import Any

from dbflow.cloud.local.processes import Processes
from tests.bench import report
from tests.bench.places import directory
from tests.bench.standalone import ApiError, Client, Standalone
from tests.bench.traffic import PASSWORD, Reader, Traffic, Writer, acknowledged_but_lost
from tests.waiting import wait_for

PATIENCE = 600.0
EXPIRY = 4.0
"""Seconds of silence after which a source counts as dead here; 90 by default."""
_SETTINGS = f"[messaging]\nheartbeat_interval = 1\nheartbeat_expiry = {EXPIRY}\n"


def add_options(parser: argparse.ArgumentParser) -> None:
    """The options of this benchmark."""
    parser.add_argument("--replicas", type=int, default=2, help="of the source (default: %(default)s)")
    parser.add_argument("--seconds", type=float, default=3.0, help="of writing before and after each (%(default)s)")
    parser.add_argument("--promotes", type=int, default=3, help="to and fro (default: %(default)s)")


def run(options: argparse.Namespace) -> None:
    """Measure and print."""
    with directory("replication") as base, Standalone(base, _SETTINGS) as standalone:
        bench = _Bench(standalone, options.seconds)
        rows = [bench.replicate(options.replicas)]
        rows += [bench.promote() for _ in range(options.promotes)]
        rows.append(bench.eject())
    print(report.machine())
    columns = ("operation", "seconds", "write gap s", "read gap s", "acknowledged", "lost")
    report.print_table("A writer and a reader, whatever happens to their servers", columns, rows)
    promotes, ejected = rows[1:-1], rows[-1]
    report.print_json(
        {
            "bench": "replication",
            "replicas": options.replicas,
            "replicate_gap_s": rows[0][2],
            "replicate_lost": rows[0][5],
            "promote_gap_s": max(row[2] for row in promotes),
            "promote_lost": sum(row[5] for row in promotes),
            "eject_s": ejected[1],
            "eject_gap_s": ejected[2],
            "eject_lost": ejected[5],
            "read_gap_s": max(row[3] for row in rows),
        }
    )


Row = tuple[str, float, float, float, int, int]


class _Bench:
    """A source, its replicas, and those who use them."""

    def __init__(self, standalone: Standalone, seconds: float) -> None:
        self._client, self._seconds = standalone.client(), seconds
        self._cloud = standalone.state_dir / "cloud"
        user = {"name": "u", "password": PASSWORD, "databases": [{"name": "d"}]}
        body = {
            "name": "source",
            "flavorRef": "1",
            "volume": {"size": 1},
            "users": [user],
            "databases": [{"name": "d"}],
        }
        self._source = _created(self._client, body)[0]
        self._replicas: list[str] = []

    def replicate(self, count: int) -> Row:
        """Replicas of a source that is written to."""

        def make() -> None:
            body = {"name": "replica", "replica_of": self._source, "replica_count": count}
            _created(self._client, body)
            shown = _show(self._client, self._source)["replicas"]
            self._replicas = [one["id"] for one in shown]

        return self._measured("replicate", make)

    def promote(self) -> Row:
        """The first replica and the source change places."""

        def change() -> None:
            new, *others = self._replicas
            _do(self._client, "POST", f"/instances/{new}/action", {"promote_to_replica_source": {}})
            self._source, self._replicas = new, [*others, self._source]

        return self._measured("promote", change)

    def eject(self) -> Row:
        """The source is killed as by a power failure; the gap begins there, the seconds when it is ejected."""

        def change() -> None:
            for found in Processes(str(self._cloud)).of(self._source):
                if found.name() == "mariadbd":
                    found.process.kill()
                else:
                    found.process.suspend()
            path, body = f"/instances/{self._source}/action", {"eject_replica_source": {}}
            wait_for(lambda: self._accepted(path, body), PATIENCE, "the source to be missed")
            (self._source,) = [one for one in self._replicas if "replica_of" not in _show(self._client, one)]
            self._replicas.remove(self._source)

        return self._measured("eject", change)

    def _accepted(self, path: str, body: Any) -> bool:
        with contextlib.suppress(ApiError):
            self._began = time.monotonic()
            _do(self._client, "POST", path, body)
            return True
        return False

    def _measured(self, name: str, change: Any) -> Row:
        members = [self._source, *self._replicas]
        hosts = [_show(self._client, member)["ip"][0] for member in members]
        writer, reader = Writer(hosts), Reader(hosts)
        with writer.at_work(), reader.at_work():
            _for(writer, self._seconds)
            self._began = time.monotonic()
            change()
            took = time.monotonic() - self._began
            _for(writer, self._seconds)
        lost = acknowledged_but_lost(_show(self._client, self._source)["ip"][0], writer)
        return name, took, writer.longest, reader.longest, len(writer.acknowledged), lost


def _for(traffic: Traffic, seconds: float) -> None:
    """So long, and until something was done meanwhile."""
    until, done = time.monotonic() + seconds, traffic.done
    wait_for(lambda: time.monotonic() > until and traffic.done > done, PATIENCE, "somebody to get through")


def _created(client: Client, wanted: dict[str, Any]) -> tuple[str, str]:
    body, headers = client.call("POST", "/instances", {"instance": wanted})
    operation = _of(headers)
    _wait(client, operation)
    return body["instance"]["id"], operation


def _do(client: Client, method: str, path: str, body: Any) -> None:
    _, headers = client.call(method, path, body)
    _wait(client, _of(headers))


def _of(headers: Any) -> str:
    href: str = headers["Link"].partition(">")[0]
    return href.rpartition("/")[2]


def _wait(client: Client, operation: str) -> None:
    """Until it has ended well."""

    def ended() -> Any:
        found = client.call("GET", f"/operations/{operation}")[0]["operation"]
        return found if found["done"] else None

    found = wait_for(ended, PATIENCE, f"operation {operation}")
    if found["state"] != "SUCCESS":
        raise RuntimeError(f"{found['kind']}: {found['state']}: {found.get('error')}")


def _show(client: Client, instance_id: str) -> dict[str, Any]:
    found: dict[str, Any] = client.call("GET", f"/instances/{instance_id}")[0]["instance"]
    return found
