# SPDX-License-Identifier: Apache-2.0
"""Files by the thousand: ``select()`` can't wait for one whose number is above 1023."""

import fcntl
import resource
import socket

FD_SETSIZE = 1024


def allow(count: int) -> None:
    """Let this process, and those it starts from now on, have so many files open. ValueError when it must not."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != resource.RLIM_INFINITY and soft < count:
        resource.setrlimit(resource.RLIMIT_NOFILE, (count, hard))


def beyond_select(low: socket.socket) -> socket.socket:
    """The same socket, by a number that it has where very many files are open; the one given is closed."""
    allow(2 * FD_SETSIZE)
    with low:
        return socket.socket(fileno=fcntl.fcntl(low, fcntl.F_DUPFD_CLOEXEC, FD_SETSIZE))
