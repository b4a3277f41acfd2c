# SPDX-License-Identifier: Apache-2.0
"""``python -m tests.openstack.sweep``: the points, one after the other. The last line is JSON."""

import argparse
import contextlib
import pathlib
import sys
import tempfile
import time

from tests.fault.outcome import Outcome
from tests.fault.sweep.points import Point
from tests.openstack.place import Place, upload_image
from tests.openstack.stack import CloudStack
from tests.openstack.sweep.run import chosen, swept
from tests.openstack.sweep.scenarios import SCENARIOS
from tests.servers import devcloud


def main(arguments: list[str] | None = None) -> int:
    """0 when all that was tried passed."""
    parser = argparse.ArgumentParser(prog="python -m tests.openstack.sweep", description=__doc__)
    parser.add_argument("--operation", choices=[one.of for one in SCENARIOS], help="only this kind")
    parser.add_argument("--points", action="append", default=[], metavar="WORD", help="only points with this in them")
    options = parser.parse_args(arguments)
    points = chosen([options.operation] if options.operation else [one.of for one in SCENARIOS], options.points)
    began, passed, violations = time.monotonic(), 0, list[str]()
    with contextlib.ExitStack() as exits:
        cloud = exits.enter_context(devcloud.running())
        images = pathlib.Path(exits.enter_context(tempfile.TemporaryDirectory()))
        stack = exits.enter_context(CloudStack(images, Place.make(cloud), upload_image(cloud)))
        for point, seconds, found in swept(points, stack):
            _tell(point, seconds, found)
            passed += not found
            violations += [f"{point.title}: {text}" for text in found]
    outcome = Outcome(len(points), passed, violations, {"seconds": round(time.monotonic() - began)})
    print(outcome.json(), flush=True)
    return 0 if outcome.good else 1


def _tell(point: Point, seconds: float, violations: list[str]) -> None:
    verdict = "FAILED" if violations else "passed"
    print(f"{verdict} {seconds:6.1f} s  {point.title}", *violations, sep="\n      ", flush=True)


if __name__ == "__main__":
    sys.exit(main())
