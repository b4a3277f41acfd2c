# SPDX-License-Identifier: Apache-2.0
"""``create``: from POST to ACTIVE, beside mariadb-install-db and a start by hand, in turns."""

import argparse
import dataclasses
import datetime
import os
import time
from typing import Any

from guest.datastores.base import Settings
from tests.bench import byhand, report
from tests.bench.byhand import Made
from tests.bench.places import directory
from tests.bench.standalone import Client, Standalone
from tests.waiting import wait_for

FLAVOR, RAM, VCPUS = "2", 512, 1
"""db.small of the local cloud."""
RUN_AS = "dbflow-db"
POLL = 0.05
"""Seconds between two looks at an instance: each takes processor time from what it waits for."""
IMAGE_TIMEOUT = CREATE_TIMEOUT = 120.0


@dataclasses.dataclass(frozen=True)
class Created:
    """One create, seconds."""

    total: float
    """From sending the POST until a GET said ACTIVE."""
    processor: float
    """Time of all processes that took part: control plane, agent, database server."""
    post: float
    steps: dict[str, float]
    """From each step's start to its end, in the order of their start."""


def add_options(parser: argparse.ArgumentParser) -> None:
    """The options of this benchmark."""
    parser.add_argument("--runs", type=int, default=9, help="creates and installations by hand (default: %(default)s)")


def run(options: argparse.Namespace) -> None:
    """Measure and print."""
    with directory("create") as base, Standalone(base) as standalone:
        client = standalone.client()
        first = _create(client, standalone)
        wait_for(standalone.image_is_ready, IMAGE_TIMEOUT, "the prepared data directory")
        settings = Settings(RAM, VCPUS)
        run_as = RUN_AS if os.geteuid() == 0 else None
        ours: list[Created] = []
        hand: list[Made] = []
        for number in range(options.runs):
            with byhand.made(base / f"hand-{number}", settings, run_as) as made:
                hand.append(made)
            ours.append(_create(client, standalone))
        standalone.remove_image()
        bare = _create(client, standalone)
    _print(first, bare, ours, hand)


def _create(client: Client, standalone: Standalone) -> Created:
    """Create an instance and delete it again."""
    wanted = {"name": "bench", "flavorRef": FLAVOR, "volume": {"size": 1}}
    used = standalone.processor_time()
    begun = time.monotonic()
    body, headers = client.call("POST", "/instances", {"instance": wanted})
    posted = time.monotonic()
    path = f"/instances/{body['instance']['id']}"
    while (status := client.call("GET", path)[0]["instance"]["status"]) == "BUILD":
        if time.monotonic() - begun > CREATE_TIMEOUT:
            raise TimeoutError(f"the instance was not made in {CREATE_TIMEOUT:g} s")
        time.sleep(POLL)
    ended = time.monotonic()
    used = standalone.processor_time() - used
    if status != "ACTIVE":
        raise RuntimeError(f"the instance became {status}")
    operation, _ = client.call("GET", "/operations/" + headers["Link"].split("/operations/")[1].partition(">")[0])
    client.call("DELETE", path)
    wait_for(lambda: _gone(client, path), CREATE_TIMEOUT, "the delete")
    return Created(ended - begun, used, posted - begun, _steps(operation["operation"]))


def _gone(client: Client, path: str) -> bool:
    try:
        client.call("GET", path)
    except LookupError:
        return True
    return False


def _steps(operation: dict[str, Any]) -> dict[str, float]:
    claimed = _seconds(operation["started"]) - _seconds(operation["created"])
    took = {step["name"]: _seconds(step["finished"]) - _seconds(step["started"]) for step in operation["steps"]}
    return {"until claimed": claimed, **took}


def _seconds(text: str) -> float:
    return datetime.datetime.fromisoformat(text).timestamp()


def _print(first: Created, bare: Created, ours: list[Created], hand: list[Made]) -> None:
    create, by_hand = report.median([one.total for one in ours]), report.median([one.total for one in hand])
    cpu = report.median([one.processor for one in ours]), report.median([one.processor for one in hand])
    rows: list[list[object]] = [
        ["dbflow, POST to ACTIVE", *_spread([one.total for one in ours]), cpu[0]],
        ["by hand", *_spread([one.total for one in hand]), cpu[1]],
        ["  mariadb-install-db", *_spread([one.install for one in hand]), ""],
        ["  mariadbd until SELECT 1", *_spread([one.start for one in hand]), ""],
    ]
    title = f"Create, seconds, {len(ours)} each in turns"
    report.print_table(title, ["", "median", "least", "most", "processor time"], rows)
    print(
        f"ratio {create / by_hand:.2f}, with a data directory to copy that dbflow had prepared (once a machine);\n"
        f"without one {bare.total:.2f} s; the first, while dbflow still prepared it, {first.total:.2f} s"
    )
    print(report.machine())
    steps = [[name, report.median([one.steps[name] for one in ours])] for name in ours[0].steps]
    steps.insert(0, ["POST", report.median([one.post for one in ours])])
    report.print_table("Where dbflow's time goes, medians in seconds (resources run side by side)", ["", "s"], steps)
    report.print_json(
        {
            "bench": "create",
            "ratio": create / by_hand,
            "create_s": create,
            "by_hand_s": by_hand,
            "ratio_cpu": cpu[0] / cpu[1],
            "first_create_s": first.total,
            "unprepared_create_s": bare.total,
            "runs": len(ours),
        }
    )


def _spread(values: list[float]) -> list[float]:
    return [report.median(values), min(values), max(values)]
