# SPDX-License-Identifier: Apache-2.0
"""``python -m tests.bench.brokerhost``: the embedded broker in a process of its own, so that its cost can be told.

Reads its socket, the control plane's password and the database's URL and key file as JSON from the first line of
standard input, prints ``ready``, and goes when standard input ends.
"""

import json
import pathlib
import sys

from dbflow.crypto import Keyring, broker_password
from dbflow.db.session import Database
from dbflow.guestkeys import GuestKeys
from dbflow.messaging.embedded import EmbeddedBroker


def main() -> None:
    """Until standard input ends."""
    given = json.loads(sys.stdin.readline())
    keys = GuestKeys(Database(given["database"]), Keyring.from_file(pathlib.Path(given["keys"])))
    broker = EmbeddedBroker(
        given["path"], secret=given["secret"], guest_password=lambda instance_id: broker_password(keys(instance_id))
    )
    broker.start()
    print("ready", flush=True)
    sys.stdin.read()
    broker.stop()


if __name__ == "__main__":
    main()
