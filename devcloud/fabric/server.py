# SPDX-License-Identifier: Apache-2.0
"""``python3 -m devcloud.fabric.server DIRECTORY``: serves what ``devcloud.fabric.client`` asks for.

A question is a line of JSON on a Unix socket, and so is the answer. Servers reach the ports of the cloud's own APIs,
and those in the file ``forward``, under 127.0.0.1: so the catalog's URLs are right inside them, too.
"""

import asyncio
import json
import pathlib
import sys
from typing import Any

from devcloud.fabric import links, names
from devcloud.fabric.client import SOCKET
from devcloud.fabric.groups import PAUSE, SecurityGroups
from devcloud.settings import OFFSETS, Settings

INSIDE = ("keystone", "glance", "placement", "nova", "cinder", "neutron", "swift", "designate", "rabbitmq")
FORWARD = "forward"


class Fabric:
    """Of one cloud."""

    def __init__(self, settings: Settings) -> None:
        self._directory = settings.directory
        self._own_ports = {settings.port(name) for name in INSIDE if name in OFFSETS}
        self._groups = SecurityGroups(settings)
        self._looking = asyncio.Lock()
        self._open: dict[str, list[asyncio.Server]] = {}

    async def serve(self) -> None:
        """For ever."""
        path = self._directory / SOCKET
        path.unlink(missing_ok=True)
        server = await asyncio.start_unix_server(self._talk, path)
        for namespace in self._servers():
            await self.connect(namespace)
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(server.serve_forever())
            tasks.create_task(self._look_for_ever())

    async def connect(self, namespace: str) -> dict[str, Any]:
        """See the client."""
        for port in sorted(self._ports()):
            await self._forward(namespace, port)
        return {}

    async def forward(self, port: int) -> dict[str, Any]:
        """See the client."""
        (self._directory / FORWARD).write_text("".join(f"{each}\n" for each in sorted({*self._added(), port})))
        for namespace in self._servers():
            await self._forward(namespace, port)
        return {}

    async def expose(self, namespace: str, address: str, port: int) -> dict[str, Any]:
        """See the client."""
        server = await links.to_address(namespace, address, port)
        self._open.setdefault(namespace, []).append(server)
        return {"port": server.sockets[0].getsockname()[1]}

    async def drop(self, namespace: str) -> dict[str, Any]:
        """See the client."""
        for server in self._open.pop(namespace, []):
            server.close()
        async with self._looking:
            self._groups.forget(namespace)
        return {}

    async def filter(self) -> dict[str, Any]:
        """See the client."""
        async with self._looking:
            await asyncio.to_thread(self._groups.look)
        return {}

    async def _look_for_ever(self) -> None:
        while True:
            try:
                await self.filter()
            except Exception as error:  # MariaDB may be away; it is looked at again
                print(f"security groups: {error!r}", flush=True)
            await asyncio.sleep(PAUSE)

    async def _forward(self, namespace: str, port: int) -> None:
        try:
            server = await links.to_host(namespace, port)
        except OSError:  # something of the server's own listens there, or we do
            return
        self._open.setdefault(namespace, []).append(server)

    def _servers(self) -> list[str]:
        """Namespaces."""
        found = (names.of_server(path.name) for path in (self._directory / "guests").iterdir())
        return [namespace for namespace in found if names.exists(namespace)]

    def _ports(self) -> set[int]:
        return self._own_ports | self._added()

    def _added(self) -> set[int]:
        path = self._directory / FORWARD
        return {int(line) for line in path.read_text().split()} if path.exists() else set()

    async def _talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while line := await reader.readline():
                writer.write(json.dumps(await self._answer(json.loads(line))).encode() + b"\n")
                await writer.drain()
        finally:
            writer.close()

    async def _answer(self, question: dict[str, Any]) -> dict[str, Any]:
        operations = {
            "connect": self.connect,
            "forward": self.forward,
            "expose": self.expose,
            "drop": self.drop,
            "filter": self.filter,
        }
        try:
            answer: dict[str, Any] = await operations[question.pop("op")](**question)  # type: ignore[operator]
        except Exception as error:  # the asker shows it
            return {"error": repr(error)}
        return answer


if __name__ == "__main__":
    asyncio.run(Fabric(Settings.load(pathlib.Path(sys.argv[1]))).serve())
