# SPDX-License-Identifier: Apache-2.0
"""``openstack``: what a create costs beyond Nova's and the database's own time, in a real OpenStack."""

import argparse
import contextlib
import dataclasses
import datetime
import pathlib
import tempfile
import time

from tests.bench import report
from tests.functional.stack import Client
from tests.openstack.place import Place, upload_image
from tests.openstack.stack import CloudStack
from tests.servers import devcloud

PARTS = {
    "create-port": "Neutron: port and security group",
    "create-volume": "Cinder: volume",
    "create-server": "Nova: server",
    "install-datastore": "boot, and the database's own time",
}
"""Steps in which others work, or the database does -> what they are about."""
POLL = 0.05


@dataclasses.dataclass(frozen=True)
class Created:
    """One create, seconds."""

    total: float
    """From sending the POST until a GET said ACTIVE."""
    others: float
    """Of that, in which at least one step of PARTS ran."""
    steps: dict[str, float]

    @property
    def own(self) -> float:
        """What is left: dbflow's."""
        return self.total - self.others


def add_options(parser: argparse.ArgumentParser) -> None:
    """The options of this benchmark."""
    parser.add_argument("--runs", type=int, default=3, help="creates (default: %(default)s)")


def run(options: argparse.Namespace) -> None:
    """Measure and print."""
    with contextlib.ExitStack() as exits:
        cloud = exits.enter_context(devcloud.running())
        images = pathlib.Path(exits.enter_context(tempfile.TemporaryDirectory()))
        stack = exits.enter_context(CloudStack(images, Place.make(cloud), upload_image(cloud)))
        _print([created(stack.client()) for _ in range(options.runs)])


def created(client: Client) -> Created:
    """Create an instance, and delete it again."""
    began = time.monotonic()
    instance_id, operation_id = client.create("cost", flavor="2")
    while client.show(instance_id)["status"] != "ACTIVE":
        time.sleep(POLL)
    total = time.monotonic() - began
    steps = {one["name"]: one for one in client.operation(operation_id)["steps"]}
    spans = {name: _span(one) for name, one in steps.items()}
    client.deleted(instance_id)
    lengths = {name: end - start for name, (start, end) in spans.items()}
    return Created(total, _covered([spans[name] for name in PARTS]), lengths)


def _span(step: dict[str, str]) -> tuple[float, float]:
    begun, ended = (datetime.datetime.fromisoformat(step[key]).timestamp() for key in ("started", "finished"))
    return begun, ended


def _covered(spans: list[tuple[float, float]]) -> float:
    """Seconds that are in at least one of them."""
    covered, until = 0.0, 0.0
    for start, end in sorted(spans):
        covered += max(0.0, end - max(start, until))
        until = max(until, end)
    return covered


def _print(made: list[Created]) -> None:
    median = report.median
    rows: list[list[object]] = [["POST to ACTIVE", median([one.total for one in made])]]
    rows += [[f"  {what}", median([one.steps[step] for one in made])] for step, what in PARTS.items()]
    rows.append(["  beyond these", median([one.own for one in made])])
    report.print_table(f"medians of {len(made)} creates", ["", "s"], rows)
    print(report.machine())
    report.print_json(
        {
            "bench": "openstack",
            "total_s": median([one.total for one in made]),
            "own_s": median([one.own for one in made]),
            **{f"{step.replace('-', '_')}_s": median([one.steps[step] for one in made]) for step in PARTS},
        }
    )
