# SPDX-License-Identifier: Apache-2.0
"""dbflow-objects: serve the directory of the file store to guests, as ``[object_store]`` says."""

import signal
import sys
import threading

from dbflow.cmd.wiring import configure
from dbflow.objectstore.directory import Directory
from dbflow.objectstore.server import ObjectServer
from dbflow.systemd import Systemd


def main() -> int:
    """Serve until SIGTERM or SIGINT."""
    systemd = Systemd()
    options = configure(sys.argv[1:]).object_store
    server = ObjectServer(Directory(options.directory), options.bind_host, options.bind_port)
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    server.start()
    print(f"ready: http://{options.bind_host}:{options.bind_port}", flush=True)
    systemd.watch(lambda: True)
    systemd.ready()
    stop.wait()
    systemd.stopping()
    server.shutdown()
    return 0
