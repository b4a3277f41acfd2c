# SPDX-License-Identifier: Apache-2.0
"""``python -m tests.fault.messages.standalone WEATHER REPORT …``: dbflow-standalone with a broker that disturbs.

WEATHER is a Weather as JSON; what was done to messages is written to the file REPORT at the end. The rest is
dbflow-standalone's own.
"""

import json
import pathlib
import sys
from typing import Any

from dbflow.cmd import standalone
from tests.fault.messages.disturbed import DisturbedBroker, Weather


def main() -> int:
    """Serve until SIGTERM."""
    said = json.loads(sys.argv.pop(1))
    weather = Weather(tuple(said["faults"]), said["rate"], said["seed"])
    report = pathlib.Path(sys.argv.pop(1))

    class Broker(DisturbedBroker):
        def __init__(self, *args: Any, **kwargs: Any) -> None:
            super().__init__(weather, *args, **kwargs)

        def stop(self) -> None:
            super().stop()
            report.write_text(json.dumps(self.disturbed.counts))

    vars(standalone)["EmbeddedBroker"] = Broker
    return standalone.main()


if __name__ == "__main__":
    sys.exit(main())
