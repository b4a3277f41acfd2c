# SPDX-License-Identifier: Apache-2.0
"""cut: links between guests, conductors, broker and ZooKeeper cut for some time in the middle of operations."""

import argparse
import json
import subprocess

from tests.fault.cut.case import LINKS, MIDDLES, Result, strike
from tests.fault.cut.links import command, inside
from tests.fault.cut.stack import CutStack
from tests.fault.outcome import Outcome
from tests.fault.sweep.scenarios import Scenario
from tests.functional.stack.images import prepared_images


def add_options(parser: argparse.ArgumentParser) -> None:
    """Which cuts."""
    parser.add_argument("--operation", choices=list(MIDDLES), help="one operation only")
    parser.add_argument("--link", choices=LINKS, help="one link only")
    parser.add_argument("--seconds", type=float, nargs="+", default=[5, 20, 60], help="how long each is cut")


def run(options: argparse.Namespace) -> Outcome:
    """A cut passes without a violation."""
    return _all(options) if inside() else _in_a_namespace(options)


def _in_a_namespace(options: argparse.Namespace) -> Outcome:
    """The same command there; its words are passed on, all but the last line, which is the outcome."""
    chosen = [
        word for name in ("operation", "link") if (value := getattr(options, name)) for word in (f"--{name}", value)
    ]
    argv, environment = command(["tests.fault", "cut", *chosen, "--seconds", *map(str, options.seconds)])
    last = ""
    with subprocess.Popen(argv, env=environment, stdout=subprocess.PIPE, text=True) as process:
        for line in process.stdout or ():
            if last:
                print(last, flush=True)
            last = line.rstrip("\n")
    try:
        found = json.loads(last)
    except ValueError:
        raise RuntimeError(f"the command in the namespace ended with {process.returncode}: {last}") from None
    return Outcome(found["tried"], found["passed"], found["violations"], {"cuts": found["cuts"]})


def _all(options: argparse.Namespace) -> Outcome:
    results: list[Result] = []
    print(f"{'operation':18}{'link':22}{'cut':>6}  {'ended':10}{'after':>8}", flush=True)
    with prepared_images() as images:
        for kind in [options.operation] if options.operation else MIDDLES:
            with CutStack(images) as stack:
                scenario = Scenario.known[kind](stack)
                for link in [options.link] if options.link else LINKS:
                    for seconds in options.seconds:
                        results.append(strike(stack, scenario, link, seconds))
                        _tell(results[-1])
    return Outcome(
        tried=len(results),
        passed=len([one for one in results if not one.violations]),
        violations=[
            f"{one.operation} {one.link} {one.seconds:g} s: {what}" for one in results for what in one.violations
        ],
        figures={"cuts": [_figures(one) for one in results]},
    )


def _tell(result: Result) -> None:
    times = f"{result.seconds:5.0f}s  {result.state:10}{result.after:7.1f}s"
    print(f"{result.operation:18}{result.link:22}{times}", flush=True)


def _figures(result: Result) -> dict[str, object]:
    return {
        "operation": result.operation,
        "link": result.link,
        "seconds": result.seconds,
        "ended": result.state,
        "after": round(result.after, 1),
    }
