# SPDX-License-Identifier: Apache-2.0
"""``backup``: MB/s of a backup and of a restore, beside the bare pipes of the same programs in turns."""

import argparse
import contextlib
import dataclasses
import datetime
import pathlib
import threading
import time
from typing import Any

import psutil
import pymysql

from guest.datastores.mariadb.layout import Layout
from guest.settings import load
from tests.bench import barebackup, report
from tests.bench.filling import fill
from tests.bench.places import directory
from tests.bench.standalone import Client, Standalone
from tests.waiting import wait_for

FLAVOR = "3"
"""db.medium of the local cloud: 1 GiB."""
MB = 1_000_000
PATIENCE = 1800.0


@dataclasses.dataclass(frozen=True)
class Ours:
    """One backup and its restore, seconds."""

    backup: float
    """From POST to COMPLETED."""
    stream: float
    """Of that, the guest's step."""
    restore: float
    """The guest's step: stream, log, start."""
    create: float
    """From POST to ACTIVE."""


def add_options(parser: argparse.ArgumentParser) -> None:
    """The options of this benchmark."""
    parser.add_argument("--size", type=int, default=2048, help="MiB of data (default: %(default)s)")
    parser.add_argument("--runs", type=int, default=3, help="backups and restores of each kind (default: %(default)s)")


def run(options: argparse.Namespace) -> None:
    """Measure and print."""
    with directory("backup") as base, Standalone(base) as standalone:
        client = standalone.client()
        source = _source(client, options.size)
        servers = standalone.state_dir / "cloud" / "servers"
        layout = Layout.of(load(servers / source / "config").machine(3306))
        # The redo log is not copied whole.
        files = [path for path in layout.data.rglob("*") if path.is_file() and not path.name.startswith("ib_logfile")]
        data = sum(path.stat().st_size for path in files)
        ours: list[Ours] = []
        bare: list[barebackup.Bare] = []
        with _Memory(servers) as memory:
            for number in range(options.runs):
                bare.append(barebackup.measure(layout, base / f"bare-{number}"))
                # The server has closed a connection that was idle meanwhile.
                ours.append(_ours(standalone.client(), source, options.size))
    _print(data, ours, bare, memory)


def _source(client: Client, size: int) -> str:
    """An instance with so many MiB of data."""
    volume = max(2, -(-3 * size // 1024))
    user = {"name": "u", "password": "for-the-benchmark", "databases": [{"name": "d"}]}
    wanted = {"name": "source", "flavorRef": FLAVOR, "volume": {"size": min(volume, 10)}}
    body, _ = client.call("POST", "/instances", {"instance": {**wanted, "databases": [{"name": "d"}], "users": [user]}})
    instance_id: str = body["instance"]["id"]
    shown = _wait(client, f"/instances/{instance_id}", "instance", "ACTIVE")
    connection = pymysql.connect(
        host=shown["ip"][0], user="u", password="for-the-benchmark", database="d", autocommit=True, ssl_disabled=True
    )
    with contextlib.closing(connection), connection.cursor() as cursor:
        fill(cursor, size)
    return instance_id


def _ours(client: Client, source: str, size: int) -> Ours:
    begun = time.monotonic()
    body, headers = client.call("POST", "/backups", {"backup": {"name": "b", "instance": source}})
    backup_id = body["backup"]["id"]
    _wait(client, f"/backups/{backup_id}", "backup", "COMPLETED")
    backup = time.monotonic() - begun
    stream = _step(client, headers, "stream-backup")

    begun = time.monotonic()
    volume = min(max(2, -(-3 * size // 1024)), 10)
    wanted = {"name": "r", "flavorRef": FLAVOR, "volume": {"size": volume}, "restorePoint": {"backupRef": backup_id}}
    body, headers = client.call("POST", "/instances", {"instance": wanted})
    path = f"/instances/{body['instance']['id']}"
    _wait(client, path, "instance", "ACTIVE")
    create = time.monotonic() - begun
    restore = _step(client, headers, "restore-backup")
    for gone in (path, f"/backups/{backup_id}"):
        client.call("DELETE", gone)
        wait_for(lambda gone=gone: _is_gone(client, gone), PATIENCE, "the delete")
    return Ours(backup, stream, restore, create)


def _wait(client: Client, path: str, what: str, status: str) -> Any:
    def there() -> Any:
        found = client.call("GET", path)[0][what]
        if found["status"] in {"ERROR", "FAILED"}:
            raise RuntimeError(f"{what} {found['status']}: {found.get('fault')}")
        return found if found["status"] == status else None

    return wait_for(there, PATIENCE, f"{what} {status}")


def _is_gone(client: Client, path: str) -> bool:
    try:
        client.call("GET", path)
    except LookupError:
        return True
    return False


def _step(client: Client, headers: Any, name: str) -> float:
    operation_id = headers["Link"].split("/operations/")[1].partition(">")[0]
    steps = client.call("GET", f"/operations/{operation_id}")[0]["operation"]["steps"]
    step = next(one for one in steps if one["name"] == name)
    begun, ended = (datetime.datetime.fromisoformat(step[key]) for key in ("started", "finished"))
    return (ended - begun).total_seconds()


class _Memory:
    """The most that an agent and its stream's process had in memory together, MiB."""

    def __init__(self, servers: pathlib.Path) -> None:
        self._servers = str(servers)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self.most = 0.0
        self.stream = 0.0

    def __enter__(self) -> "_Memory":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._stop.wait(0.1):
            found = list(psutil.process_iter(["pid", "ppid", "cmdline", "memory_info"]))
            agents = {one.info["pid"]: _mib(one) for one in found if _runs(one, "guest.main", self._servers)}
            for one in found:
                if _runs(one, "guest.streams.worker") and one.info["ppid"] in agents:
                    self.stream = max(self.stream, _mib(one))
                    self.most = max(self.most, _mib(one) + agents[one.info["ppid"]])


def _runs(process: psutil.Process, module: str, where: str = "") -> bool:
    command = process.info["cmdline"] or []
    return module in command and any(where in word for word in command)


def _mib(process: psutil.Process) -> float:
    return process.info["memory_info"].rss / 2**20 if process.info["memory_info"] else 0.0


def _print(data: int, ours: list[Ours], bare: list[barebackup.Bare], memory: _Memory) -> None:
    def rate(seconds: list[float]) -> float:
        return data / MB / report.median(seconds)

    backup, stream = rate([one.backup for one in ours]), rate([one.stream for one in ours])
    bare_backup = rate([one.backup for one in bare])
    restore, bare_restore = rate([one.restore for one in ours]), rate([one.restore for one in bare])
    rows: list[list[object]] = [
        ["backup, POST to COMPLETED", backup],
        ["  the guest's step of it", stream],
        ["mariadb-backup | zstd", bare_backup],
        ["restore, the guest's step", restore],
        ["zstd -d | mbstream, prepare, start", bare_restore],
    ]
    report.print_table(f"{data / MB:,.0f} MB, medians of {len(ours)} in turns", ["", "MB/s"], rows)
    print(f"agent and stream together at most {memory.most:.0f} MiB, the stream's process {memory.stream:.0f} MiB")
    print(report.machine())
    report.print_json(
        {
            "bench": "backup",
            "ratio": backup / bare_backup,
            "restore_ratio": restore / bare_restore,
            "backup_mb_s": backup,
            "stream_mb_s": stream,
            "bare_backup_mb_s": bare_backup,
            "restore_mb_s": restore,
            "bare_restore_mb_s": bare_restore,
            "restore_create_s": report.median([one.create for one in ours]),
            "guest_mib": memory.most,
            "mb": data / MB,
        }
    )
