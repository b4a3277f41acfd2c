# SPDX-License-Identifier: Apache-2.0
"""``sweep``: every failure at every step of every operation of the registry."""

import argparse
import json
import subprocess
import sys
import time

from flows.registry import REGISTRY
from tests.fault.outcome import Outcome
from tests.fault.sweep.points import Point, points
from tests.fault.sweep.run import Result, sweep
from tests.fault.sweep.scenarios import Scenario
from tests.functional.stack.images import prepared_images


def add_options(parser: argparse.ArgumentParser) -> None:
    """The options of this command."""
    parser.add_argument("--operation", action="append", metavar="KIND", help="only this kind; may be repeated")
    parser.add_argument("--points", action="append", default=[], metavar="WORD", help="only points with this in them")
    parser.add_argument("--parallel", type=int, default=1, metavar="N", help="stacks side by side")
    parser.add_argument("--shard", metavar="I/N", help=argparse.SUPPRESS)


def run(options: argparse.Namespace) -> Outcome:
    """Try every chosen point."""
    kinds = options.operation or [kind.name for kind in REGISTRY.kinds()]
    without = [kind for kind in kinds if kind not in Scenario.known]
    chosen = [point for kind in kinds if kind not in without for point in points(kind)]
    chosen = [point for point in chosen if all(word in point.title for word in options.points)]
    if options.shard:
        index, of = map(int, options.shard.split("/"))
        results = _alone(chosen[index::of])
    elif options.parallel > 1 and len(chosen) > 1:
        results = _together(chosen, options)
    else:
        results = _alone(chosen)
    violations = [f"{kind}: no scenario" for kind in without]
    violations += [f"{result.point.title}: {text}" for result in results for text in result.violations]
    _report(kinds, results)
    return Outcome(len(results), sum(not result.violations for result in results), violations)


def _alone(chosen: list[Point]) -> list[Result]:
    with prepared_images() as images:
        return sweep(chosen, images, _tell)


def _tell(result: Result) -> None:
    verdict = "FAILED" if result.violations else "passed"
    print(f"{verdict} {result.seconds:6.1f} s  {result.point.title}", *result.violations, sep="\n      ", flush=True)


def _together(chosen: list[Point], options: argparse.Namespace) -> list[Result]:
    """Processes, each with a part of the points and a stack of its own."""
    count = options.parallel
    arguments = [f"--operation={kind}" for kind in options.operation or []]
    arguments += [f"--points={word}" for word in options.points]
    workers = [
        subprocess.Popen(
            [sys.executable, "-m", "tests.fault", "sweep", *arguments, f"--shard={index}/{count}"],
            stdout=subprocess.PIPE,
            text=True,
        )
        for index in range(count)
    ]
    results = []
    by_title = {point.title: point for point in chosen}
    for worker in workers:
        output, _ = worker.communicate()
        lines = output.splitlines()
        last = json.loads(lines[-1])
        print("\n".join(line for line in lines[:-1] if line.startswith(("passed", "FAILED", "      "))), flush=True)
        failed: dict[str, list[str]] = {}
        for violation in last["violations"]:
            title, _, text = violation.partition(": ")
            failed.setdefault(title, []).append(text)
        for line in lines:
            if line.startswith(("passed", "FAILED")):
                seconds, title = float(line.split()[1]), line.split(" s  ", 1)[1]
                results.append(Result(by_title[title], seconds, failed.get(title, [])))
    return results


def _report(kinds: list[str], results: list[Result]) -> None:
    print(f"\n{'operation':28}{'tried':>7}{'passed':>8}{'seconds':>9}   {time.strftime('%Y-%m-%d %H:%M:%S')}")
    for kind in kinds:
        mine = [result for result in results if result.point.kind == kind]
        passed = sum(not result.violations for result in mine)
        print(f"{kind:28}{len(mine):7}{passed:8}{sum(result.seconds for result in mine):9.0f}")
