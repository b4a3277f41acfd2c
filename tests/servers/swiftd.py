# SPDX-License-Identifier: Apache-2.0
"""Debian's Swift in one process, run by the system's Python: ``swiftd.py DIRECTORY``, which holds ``swift.conf``, the
rings and a configuration for each server, named after its port. Tokens stay in memory."""

import pathlib
import sys

import eventlet

eventlet.monkey_patch()

from eventlet import wsgi  # noqa: E402
from paste.deploy import loadapp  # noqa: E402
from swift.common import utils  # noqa: E402
from swift.common.ring import RingBuilder  # noqa: E402
from swift.common.storage_policy import reload_storage_policies  # noqa: E402

DEVICE = "d"


class Memory:
    """In the place of memcached."""

    def __init__(self):
        self._kept = {}

    def get(self, key, *_, **__):
        return self._kept.get(key)

    def set(self, key, value, *_, **__):
        self._kept[key] = value

    def delete(self, key, *_, **__):
        self._kept.pop(key, None)

    def incr(self, key, delta=1, *_, **__):
        self._kept[key] = self._kept.get(key, 0) + delta
        return self._kept[key]


def cache(_conf, **_options):
    """A filter of paste: gives every request the one memory."""
    memory = Memory()

    def wrap(app):
        def call(environ, start_response):
            environ["swift.cache"] = memory
            return app(environ, start_response)

        return call

    return wrap


def make_ring(directory, name, port):
    """One device, one copy."""
    builder = RingBuilder(2, 1, 1)
    where = {"ip": "127.0.0.1", "port": port, "replication_ip": "127.0.0.1", "replication_port": port}
    builder.add_dev({"region": 1, "zone": 1, "device": DEVICE, "weight": 1.0, "meta": "", **where})
    builder.rebalance()
    builder.get_ring().save(str(directory / f"{name}.ring.gz"))


def main():
    directory = pathlib.Path(sys.argv[1])
    sys.modules["swiftd"] = sys.modules["__main__"]  # where the proxy's configuration finds the cache
    utils.SWIFT_CONF_FILE = str(directory / "swift.conf")
    utils.validate_configuration()
    reload_storage_policies()
    servers = [
        (path.stem.rpartition("-")[0], int(path.stem.rpartition("-")[2]), path) for path in directory.glob("*-*.conf")
    ]
    for name, port, _ in servers:
        if name != "proxy":
            make_ring(directory, name, port)
    threads = []
    for _, port, path in sorted(servers):
        listener = eventlet.listen(("127.0.0.1", port), backlog=128)
        app = loadapp(f"config:{path}", name="main")
        threads.append(eventlet.spawn(wsgi.server, listener, app, log_output=False))
    print("ready", flush=True)
    for thread in threads:
        thread.wait()


if __name__ == "__main__":
    main()
