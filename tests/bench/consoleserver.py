# SPDX-License-Identifier: Apache-2.0
"""``python -m tests.bench.consoleserver DIRECTORY OPERATIONS VIEWERS``: the console in a process of its own.

Prints its port, the id of a running operation and its database as JSON when it serves; then, for each line that it
reads, how many statements it has sent to the database so far. Ends when its standard input does.
"""

import datetime
import itertools
import json
import pathlib
import sys
import threading
from typing import Any

import sqlalchemy as sa
import waitress

from dbflow.db.models import Operation, new_id, utcnow
from dbflow.operations import State
from tests.unit.console.scene import CONDUCTOR, Scene

BATCH = 2000
KINDS = ("instance.create", "instance.restart", "instance.resize_volume", "instance.delete")
STATES = (State.SUCCESS,) * 17 + (State.REVERTED, State.FAILED, State.SUSPENDED)


def fill(scene: Scene, count: int) -> None:
    """So many operations of the project p1, one a minute."""
    now = utcnow()
    sealed = scene.world.keyring.seal({})
    for first in range(0, count, BATCH):
        rows = [_row(number, now, sealed, scene.silent) for number in range(first, min(count, first + BATCH))]
        with scene.world.database.write() as session:
            session.execute(sa.insert(Operation), rows)


def _row(number: int, now: datetime.datetime, sealed: str, target: str) -> dict[str, Any]:
    created = now - datetime.timedelta(minutes=number)
    return {
        "id": new_id(),
        "kind": KINDS[number % len(KINDS)],
        "version": 1,
        "target_type": "instance",
        "target_id": target,
        "project_id": "p1",
        "user_id": f"user-{number % 50}",
        "state": STATES[number % len(STATES)],
        "arguments": sealed,
        "conductor": CONDUCTOR,
        "error": f"step create-server: no room in rack {number % 90}" if number % 20 == 18 else None,
        "attempts": 1,
        "created": created,
        "started": created,
        "finished": created + datetime.timedelta(seconds=3),
    }


def main(directory: str, operations: int, viewers: int) -> None:
    """Serve until nobody reads any more."""
    scene = Scene(pathlib.Path(directory))
    scene.world.conf.set_override("interval", 0.5, "console")
    scene.world.conf.set_override("http_get_rate", 1_000_000, "api")
    console = scene.world.app.extensions["dbflow.console"]
    console.live._interval = 0.5
    console.live._seats.most = 4 * viewers  # they are all one user, who gets a quarter
    fill(scene, operations)
    threads = viewers + 8
    server = waitress.create_server(
        scene.world.app, host="127.0.0.1", port=0, threads=threads, send_bytes=1, connection_limit=2 * threads
    )
    threading.Thread(target=server.run, daemon=True).start()
    statements = itertools.count()
    sa.event.listen(scene.world.database.engine, "before_cursor_execute", lambda *_: next(statements))
    told = {"port": server.effective_port, "operation": scene.create, "url": str(scene.world.database.engine.url)}
    print(json.dumps(told), flush=True)
    for asked, _ in enumerate(sys.stdin):
        print(next(statements) - asked, flush=True)  # each time it is asked counts, too


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
