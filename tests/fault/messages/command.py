# SPDX-License-Identifier: Apache-2.0
"""messages: dropped, doubled, delayed, reordered; every operation succeeds all the same, and nothing is done twice."""

import argparse

from tests.fault.messages.case import Result, disturbed
from tests.fault.messages.disturbed import FAULTS, Weather
from tests.fault.outcome import Outcome
from tests.functional.stack.images import prepared_images

KINDS = ("create", "restart", "resize", "delete")
LIVES, SIDE_BY_SIDE = 12, 3


def add_options(parser: argparse.ArgumentParser) -> None:
    """How often, and what."""
    parser.add_argument("--rates", type=float, nargs="+", default=[0.01, 0.1], help="shares of the messages")
    parser.add_argument("--faults", choices=[*FAULTS, "all"], nargs="+", default=[*FAULTS, "all"])
    parser.add_argument("--lives", type=int, default=LIVES, help="databases a case")
    parser.add_argument("--seed", type=int, default=1)


def run(options: argparse.Namespace) -> Outcome:
    """A case passes without a violation."""
    weathers = [Weather((), 0.0, options.seed)]
    for rate in options.rates:
        weathers += [Weather(FAULTS if one == "all" else (one,), rate, options.seed) for one in options.faults]
    results = []
    print(
        f"{'':10} {'rate':>5} {'messages':>8} "
        + " ".join(f"{fault:>7}" for fault in FAULTS)
        + f" {'ops':>4} {'calls':>5} {'done':>5} {'twice':>5} "
        + " ".join(f"{kind:>7}" for kind in KINDS),
        flush=True,
    )
    with prepared_images() as images:
        for weather in weathers:
            results.append(disturbed(images, weather, options.lives, SIDE_BY_SIDE))
            print(line(results[-1]), flush=True)
            for violation in results[-1].violations:
                print(f"    violation: {violation}", flush=True)
    return Outcome(
        tried=len(results),
        passed=len([result for result in results if not result.violations]),
        violations=[f"{name(one.weather)} {one.weather.rate}: {what}" for one in results for what in one.violations],
        figures={"cases": [figures(one) for one in results]},
    )


def name(weather: Weather) -> str:
    """What the weather is called."""
    return "all" if len(weather.faults) > 1 else next(iter(weather.faults), "calm")


def line(one: Result) -> str:
    """A line of the table; the last columns are median seconds of an operation."""
    twice = len([what for what in one.violations if what.endswith("times")])
    return (
        f"{name(one.weather):10} {one.weather.rate:5.0%} {one.counts.get('published', 0):8} "
        + " ".join(f"{one.counts.get(fault, 0):7}" for fault in FAULTS)
        + f" {len(one.asked):4} {len(one.calls):5} {one.done:5} {twice:5} "
        + " ".join(f"{one.took(kind):7.2f}" for kind in KINDS)
    )


def figures(one: Result) -> dict[str, object]:
    """For the last line."""
    return {
        "weather": name(one.weather),
        "rate": one.weather.rate,
        "messages": one.counts,
        "operations": len(one.asked),
        "calls": len(one.calls),
        "calls_again": len([call for call in one.calls if not call.good]),
        "requests_done": one.done,
        "seconds": round(one.seconds, 1),
        "took": {kind: round(one.took(kind), 2) for kind in KINDS},
    }
