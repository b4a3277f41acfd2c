# SPDX-License-Identifier: Apache-2.0
"""TCP connections between namespaces and the host's loopback."""

import asyncio
import contextlib
import ctypes
import os
import socket
from collections.abc import Awaitable, Callable

from devcloud.fabric import names
from devcloud.settings import LOOPBACK

Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
CONNECT_TIMEOUT = 10.0
_libc = ctypes.CDLL(None, use_errno=True)
_home = os.open("/proc/self/ns/net", os.O_RDONLY)


def socket_in(namespace: str) -> socket.socket:
    """A TCP socket that belongs to a namespace."""
    descriptor = os.open(names.RUN / namespace, os.O_RDONLY)
    try:
        if _libc.setns(descriptor, 0):
            raise OSError(ctypes.get_errno(), f"setns {namespace}")
        try:
            return socket.socket(socket.AF_INET, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
        finally:
            _libc.setns(_home, 0)
    finally:
        os.close(descriptor)


async def to_host(namespace: str, port: int) -> asyncio.Server:
    """A listener in a namespace, of which each connection goes to the same port of the host. OSError when taken."""
    listener = socket_in(namespace)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((LOOPBACK, port))
    except OSError:
        listener.close()
        raise
    return await asyncio.start_server(_joining(lambda: asyncio.open_connection(LOOPBACK, port)), sock=listener)


async def to_address(namespace: str, address: str, port: int) -> asyncio.Server:
    """A listener on a free port of the host, of which each connection goes to an address as seen in a namespace."""

    async def connect() -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        sock = socket_in(namespace)
        try:
            await asyncio.get_running_loop().sock_connect(sock, (address, port))
        except BaseException:
            sock.close()
            raise
        return await asyncio.open_connection(sock=sock)

    return await asyncio.start_server(_joining(connect), LOOPBACK, 0)


def _joining(connect: Callable[[], Awaitable[tuple[asyncio.StreamReader, asyncio.StreamWriter]]]) -> Handler:
    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            far_reader, far_writer = await asyncio.wait_for(connect(), CONNECT_TIMEOUT)
        except (OSError, TimeoutError):
            writer.close()
            return
        try:
            await asyncio.gather(_pump(reader, far_writer), _pump(far_reader, writer))
        finally:
            writer.close()
            far_writer.close()

    return handle


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
        if writer.can_write_eof():
            writer.write_eof()
            return
    writer.close()
