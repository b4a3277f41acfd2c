# SPDX-License-Identifier: Apache-2.0
"""The MariaDB server of the cloud. It may lose what it has committed when the machine goes down."""

import pathlib
import subprocess
from collections.abc import Iterable

from devcloud.processes import Daemon, Failed, Process, environment, wait_for
from devcloud.settings import LOOPBACK, PASSWORD, Settings

OPTIONS = (
    "--skip-name-resolve --character-set-server=utf8mb3 --max-connections=600 --innodb-buffer-pool-size=128M "
    "--innodb-log-file-size=32M --innodb-flush-log-at-trx-commit=0 --innodb-doublewrite=0 "
    "--innodb-flush-method=nosync --performance-schema=OFF --skip-log-bin --key-buffer-size=1M "
    "--table-open-cache=800 --open-files-limit=4096"
)
NAME = "mariadb"


class MariaDB:
    """Root comes in through the socket, the services as ``devcloud`` through their port."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._socket = settings.run / "mariadb.sock"
        self._data = settings.directory / "mariadb"

    def start(self) -> None:
        """Return when it answers."""
        if not (self._data / "mysql").exists():
            self._install()
        argv = ["mariadbd", "--no-defaults", "--user=root", f"--datadir={self._data}", f"--socket={self._socket}"]
        argv += [f"--pid-file={self._settings.run}/mariadbd", f"--bind-address={LOOPBACK}"]
        argv += [f"--port={self._settings.port('mariadb')}", *OPTIONS.split()]
        process = Process(self._settings, NAME)
        process.start(Daemon(NAME, argv))
        wait_for(self._answers, "MariaDB", 60, process)

    def execute(self, statements: Iterable[str]) -> str:
        """Run them as root and return the rows, a line each. Failed when one is refused."""
        return self.load((";\n".join(statements) + ";").encode())

    def load(self, script: bytes) -> str:
        """Run a script as root. Failed when a statement is refused."""
        done = subprocess.run(self.client("mariadb", "-N"), input=script, capture_output=True, check=False)
        if done.returncode:
            raise Failed(f"MariaDB: {done.stderr.decode(errors='replace')}")
        return done.stdout.decode()

    def client(self, program: str, *arguments: str) -> list[str]:
        """The command of a client that is root."""
        return [program, "--no-defaults", f"--socket={self._socket}", "-uroot", *arguments]

    def create(self, names: Iterable[str]) -> None:
        """Empty databases in the place of what was there."""
        account = f"devcloud@'{LOOPBACK}'"
        self.execute(
            [f"GRANT ALL ON *.* TO {account} IDENTIFIED BY '{PASSWORD}'"]
            + [f"CREATE OR REPLACE DATABASE {name}" for name in names]
        )

    def _answers(self) -> bool:
        return subprocess.run(self.client("mariadb-admin", "ping"), capture_output=True, check=False).returncode == 0

    def _install(self) -> None:
        """A new data directory, moved to its place when it is whole."""
        part = self._data.with_name("mariadb.part")
        _run_quietly(["rm", "-rf", str(part)], self._settings)
        argv = ["mariadb-install-db", "--no-defaults", "--user=root", f"--datadir={part}", "--skip-test-db"]
        argv += ["--auth-root-authentication-method=normal", "--skip-name-resolve"]
        _run_quietly(argv, self._settings)
        part.rename(self._data)


def _run_quietly(argv: list[str], settings: Settings) -> None:
    log = pathlib.Path(settings.log / "mariadb-install.log")
    with log.open("ab") as out:
        done = subprocess.run(argv, stdout=out, stderr=out, env=environment(settings), check=False)
    if done.returncode:
        raise Failed(f"{argv[0]} failed: see {log}")
