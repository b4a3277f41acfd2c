# SPDX-License-Identifier: Apache-2.0
"""Swift's proxy, account, container and object servers: ``swift.py DIRECTORY``, that of ``swift.conf``."""

import logging
import os
import pathlib
import sys
import traceback
from typing import Any

from swift.common import constraints, storage_policy, utils, wsgi
from swift.common.ring import RingBuilder

STORAGE = ("account", "container", "object")
DEVICE = "device"


def log_to_stderr(_conf: Any, name: str, _console: bool, _route: str, _form: str, logger: Any, _adapter: Any) -> None:
    """What ``log_custom_handlers`` in the servers' configuration names."""
    handler = logging.StreamHandler()
    handler.setFormatter(logging.Formatter(f"%(asctime)s {name}: %(levelname)s %(message)s"))
    logger.addHandler(handler)


def main() -> None:
    """Serve until SIGTERM."""
    directory = pathlib.Path(sys.argv[1])
    utils.SWIFT_CONF_FILE = str(directory / "swift.conf")
    utils.eventlet_monkey_patch()
    utils.validate_configuration()
    constraints.reload_constraints()
    storage_policy.reload_storage_policies()

    import eventlet

    _use_one_hub(eventlet)
    threads = [_start(eventlet, directory, f"{name}-server") for name in STORAGE]
    threads.append(_start(eventlet, directory, "proxy-server"))
    for thread in threads:
        thread.wait()


def _use_one_hub(eventlet: Any) -> None:
    """Every server wants to choose the hub: the second choice would strand what the first server has begun. Threads of
    the pool, in which objects are written, have hubs of their own."""
    choose = eventlet.hubs.use_hub
    choose(wsgi.get_hub())
    eventlet.hubs.get_hub()

    def use_hub(mod: Any = None) -> None:
        if not hasattr(eventlet.hubs._threadlocal, "hub"):
            choose(mod)

    eventlet.hubs.use_hub = use_hub


def _start(eventlet: Any, directory: pathlib.Path, name: str) -> Any:
    conf, logger, _ = wsgi._initrp(str(directory / f"{name}.conf"), name)
    port = int(conf["bind_port"])
    if name != "proxy-server":
        _make_ring(directory / f"{name.removesuffix('-server')}.ring.gz", port)
    return eventlet.spawn(_run, conf, logger, eventlet.listen((conf["bind_ip"], port), backlog=512))


def _make_ring(path: pathlib.Path, port: int) -> None:
    """One device, one copy."""
    if path.exists():
        return
    builder = RingBuilder(4, 1, 1)
    where = {"ip": "127.0.0.1", "port": port, "replication_ip": "127.0.0.1", "replication_port": port}
    builder.add_dev({"region": 1, "zone": 1, "device": DEVICE, "weight": 1.0, "meta": "", **where})
    builder.rebalance()
    builder.get_ring().save(str(path))


def _run(*arguments: Any) -> None:
    """The process ends with any of its servers."""
    try:
        wsgi.run_server(*arguments)
    except BaseException:
        traceback.print_exc()
        os._exit(1)


if __name__ == "__main__":
    main()
