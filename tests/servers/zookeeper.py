# SPDX-License-Identifier: Apache-2.0
"""One ZooKeeper server of Debian's jar."""

import os
import pathlib
import shutil
import socket

from tests.servers.ports import LOOPBACK
from tests.servers.process import Child, Server

TICK_MS = 500
# zookeeper.jar names the jars that it needs; slf4j-simple writes its log to standard error.
CLASSPATH = "/usr/share/java/zookeeper.jar:/usr/share/java/slf4j-simple.jar"
CONFIG = """\
dataDir={directory}/data
clientPort={port}
clientPortAddress={address}
tickTime={tick}
minSessionTimeout={shortest}
maxSessionTimeout=60000
maxClientCnxns=0
admin.enableServer=false
4lw.commands.whitelist=ruok,srvr,mntr,cons,wchs
"""
JAVA_OPTIONS = (
    "-Xms32m",
    "-Xmx256m",
    "-XX:+UseSerialGC",
    "-XX:TieredStopAtLevel=1",
    # The log is preallocated in steps of this many KiB; 64 MiB is the default.
    "-Dzookeeper.preAllocSize=1024",
    "-Djava.net.preferIPv4Stack=true",
    "-Dorg.slf4j.simpleLogger.showDateTime=true",
)


class ZooKeeper(Server):
    """Sessions as short as two ticks, at most 60 s. Every write is synced to disk, as in production."""

    name = "zookeeper"

    def __init__(self, base: pathlib.Path, *, tick_ms: int = TICK_MS) -> None:
        """``tick_ms``: sessions end at whole ticks."""
        super().__init__(base)
        self._tick = tick_ms

    @property
    def hosts(self) -> str:
        """What kazoo takes as ``hosts``."""
        return f"{LOOPBACK}:{self.port}"

    def ask(self, word: str) -> str:
        """The answer to a four-letter word (ruok, srvr, mntr, cons, wchs)."""
        with socket.create_connection((LOOPBACK, self.port), timeout=5) as sock:
            sock.sendall(word.encode())
            return b"".join(iter(lambda: sock.recv(65536), b"")).decode()

    def lose_data(self) -> None:
        """It ends, and the next start is that of a server that has never been."""
        self.kill()
        shutil.rmtree(self.directory / "data")

    def counters(self) -> dict[str, str]:
        """``mntr`` as a mapping, such as ``zk_packets_received`` and ``zk_znode_count``."""
        lines = (line.partition("\t") for line in self.ask("mntr").splitlines())
        return {key: value for key, _, value in lines if value}

    def _prepare(self) -> None:
        config = CONFIG.format(
            directory=self.directory, port=self.port, address=LOOPBACK, tick=self._tick, shortest=2 * self._tick
        )
        (self.directory / "zoo.cfg").write_text(config)

    def _spawn(self) -> Child:
        argv = ["java", *JAVA_OPTIONS, "-cp", CLASSPATH]
        argv += ["org.apache.zookeeper.server.ZooKeeperServerMain", str(self.directory / "zoo.cfg")]
        return Child(argv, self.log_file, os.environ)

    def _ready(self) -> bool:
        try:
            return self.ask("srvr").startswith("Zookeeper version")
        except OSError:
            return False
