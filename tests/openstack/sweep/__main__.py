# SPDX-License-Identifier: Apache-2.0
"""``python -m tests.openstack.sweep``: the points, one after the other. The last line is JSON."""

import argparse
import contextlib
import pathlib
import sys
import tempfile
import time
import traceback
from collections.abc import Iterator, Sequence

from tests.fault.outcome import Outcome
from tests.fault.sweep.points import Point
from tests.fault.sweep.run import Result
from tests.openstack.place import Place, build_image, upload_image
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
    try:
        for result in _swept(points):
            _tell(result)
            passed += not result.violations
            violations += [f"{result.point.title}: {text}" for text in result.violations]
    except Exception as error:
        traceback.print_exc()
        violations.append(f"the sweep itself: {type(error).__name__}: {str(error)[:2000]}")
    outcome = Outcome(len(points), passed, violations, {"seconds": round(time.monotonic() - began)})
    print(outcome.json(), flush=True)
    return 0 if outcome.good else 1


def _swept(points: Sequence[Point]) -> Iterator[Result]:
    """In a cloud of their own."""
    with contextlib.ExitStack() as exits:
        cloud = exits.enter_context(devcloud.running())
        images = pathlib.Path(exits.enter_context(tempfile.TemporaryDirectory()))
        stack = exits.enter_context(
            CloudStack(images, Place.make(cloud).managed(), upload_image(cloud, build_image(images)))
        )
        yield from swept(points, stack)


def _tell(result: Result) -> None:
    verdict = "FAILED" if result.violations else "passed"
    print(f"{verdict} {result.seconds:6.1f} s  {result.point.title}", *result.violations, sep="\n      ", flush=True)


if __name__ == "__main__":
    sys.exit(main())
