# SPDX-License-Identifier: Apache-2.0
"""The services' databases. Their migrations take half a minute of processor time, so what comes of them is kept for
the next cloud of the same packages."""

import concurrent.futures
import gzip
import hashlib
import pathlib
import re
import subprocess
from collections.abc import Sequence

from devcloud.mariadb import MariaDB
from devcloud.processes import Failed, environment
from devcloud.services import Service
from devcloud.settings import CACHE, Settings

READY = "devcloud"
"""A database that exists once the others are whole."""
AT_ONCE = 2


class Schema:
    """Of all services of a cloud."""

    def __init__(self, settings: Settings, mariadb: MariaDB, services: Sequence[Service]) -> None:
        self._settings, self._mariadb, self._services = settings, mariadb, services
        self._names = [name for service in services for name in service.databases]

    def prepare(self) -> str:
        """Make what is missing; a word on what has been done."""
        if READY in self._mariadb.execute(["SHOW DATABASES"]).split():
            return "databases kept"
        self._mariadb.create(self._names)
        dump = CACHE / f"{self._key()}.sql.gz"
        if dump.exists():
            self._load(dump)
            done = "databases loaded"
        else:
            self._migrate()
            self._save(dump)
            done = "databases migrated"
        self._mariadb.execute([text for service in self._services for text in service.statements()])
        self._mariadb.create([READY])
        return done

    def _migrate(self) -> None:
        with concurrent.futures.ThreadPoolExecutor(AT_ONCE) as pool:
            # Those that take longest last: begun first, they end with the rest.
            list(pool.map(self._migrate_one, reversed(self._services)))

    def _migrate_one(self, service: Service) -> None:
        log = self._settings.log / f"{service.name}-migrations.log"
        with log.open("ab") as out:
            for argv in service.migrations():
                done = subprocess.run(
                    argv, stdin=subprocess.DEVNULL, stdout=out, stderr=out, env=environment(self._settings), check=False
                )
                if done.returncode:
                    raise Failed(f"a migration of {service.name} failed: see {log}")

    def _save(self, dump: pathlib.Path) -> None:
        """Without the ports of this cloud."""
        argv = self._mariadb.client("mariadb-dump", "--single-transaction", "--no-autocommit", "--skip-comments")
        done = subprocess.run([*argv, "--databases", *self._names], capture_output=True, check=False)
        if done.returncode:
            raise Failed(f"mariadb-dump: {done.stderr.decode(errors='replace')}")
        base = self._settings.port_base
        text = re.sub(rb"127\.0\.0\.1:(\d+)", lambda found: b"127.0.0.1:<%d>" % (int(found[1]) - base), done.stdout)
        dump.parent.mkdir(parents=True, exist_ok=True)
        part = dump.with_name(f"{dump.name}.{self._settings.port_base}")
        part.write_bytes(gzip.compress(text))
        part.rename(dump)

    def _load(self, dump: pathlib.Path) -> None:
        base = self._settings.port_base
        text = gzip.decompress(dump.read_bytes())
        self._mariadb.load(
            re.sub(rb"127\.0\.0\.1:<(\d+)>", lambda found: b"127.0.0.1:%d" % (int(found[1]) + base), text)
        )

    def _key(self) -> str:
        """Changes with what the migrations make of nothing."""
        packages = [f"python3-{service.name}" for service in self._services]
        versions = subprocess.run(["dpkg-query", "-W", *packages], capture_output=True, text=True, check=True).stdout
        return hashlib.sha256(f"{versions}{self._settings.mode}".encode()).hexdigest()[:16]
