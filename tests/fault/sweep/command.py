# SPDX-License-Identifier: Apache-2.0
"""``sweep``: every failure at every step of every operation of the registry.

On the embedded set of parts one process is all of the control plane: its death is the conductor's, the board's and
the broker's, and what takes over is its next start. On the real set one of two conductor processes dies, and the
other one goes on when the session has ended.
"""

import argparse
import time

from flows.registry import REGISTRY
from tests.fault.outcome import Outcome
from tests.fault.sweep.points import points
from tests.fault.sweep.run import PARTS, Result, sweep
from tests.fault.sweep.scenarios import Scenario
from tests.functional.stack.images import prepared_images


def add_options(parser: argparse.ArgumentParser) -> None:
    """The options of this command."""
    parser.add_argument("--operation", action="append", metavar="KIND", help="only this kind; may be repeated")
    parser.add_argument("--points", action="append", default=[], metavar="WORD", help="only points with this in them")
    parser.add_argument("--parallel", type=int, default=1, metavar="N", help="stacks side by side")
    parser.add_argument("--parts", choices=sorted(PARTS), default="embedded", help="what the stacks are made of")


def run(options: argparse.Namespace) -> Outcome:
    """Try every chosen point."""
    began = time.monotonic()
    kinds = options.operation or [kind.name for kind in REGISTRY.kinds()]
    without = [kind for kind in kinds if kind not in Scenario.known]
    chosen = [point for kind in kinds if kind not in without for point in points(kind)]
    chosen = [point for point in chosen if all(word in point.title for word in options.points)]
    results: list[Result] = []
    if chosen:
        with prepared_images() as images:
            results = sweep(chosen, images, _tell, options.parallel, options.parts)
    seconds = time.monotonic() - began
    tried = {result.point.title for result in results}
    violations = [f"{kind}: no scenario" for kind in without]
    violations += [f"{point.title}: not tried" for point in chosen if point.title not in tried]
    violations += [f"{result.point.title}: {text}" for result in results for text in result.violations]
    _report(kinds, results)
    print(f"{len(results)} points in {seconds:.0f} s, {options.parallel} at a time, {options.parts} parts")
    figures: dict[str, object] = {"parts": options.parts, "seconds": round(seconds), "parallel": options.parallel}
    return Outcome(len(chosen), sum(not result.violations for result in results), violations, figures)


def _tell(result: Result) -> None:
    verdict = "FAILED" if result.violations else "passed"
    print(f"{verdict} {result.seconds:6.1f} s  {result.point.title}", *result.violations, sep="\n      ", flush=True)


def _report(kinds: list[str], results: list[Result]) -> None:
    print(f"\n{'operation':28}{'tried':>7}{'passed':>8}{'seconds':>9}   {time.strftime('%Y-%m-%d %H:%M:%S')}")
    for kind in kinds:
        mine = [result for result in results if result.point.kind == kind]
        passed = sum(not result.violations for result in mine)
        print(f"{kind:28}{len(mine):7}{passed:8}{sum(result.seconds for result in mine):9.0f}")
