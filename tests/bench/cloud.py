# SPDX-License-Identifier: Apache-2.0
"""``openstack``: what a create costs beyond Nova's and Cinder's own time, in a real OpenStack.

Theirs is what their records say, in whole seconds: from the server's action ``create`` to the end of its last event,
and from when the volume was made to when it was available. Everything else is ours: Neutron's answers, which we wait
for, and looking again every ``poll_interval`` are in it, and so are boot and the database's own time in the first step
of the guest, which has a line of its own; dbflow's own part is what is left without them.
"""

import argparse
import contextlib
import dataclasses
import datetime
import pathlib
import tempfile
import time

from tests.bench import report
from tests.functional.stack import Client
from tests.openstack.place import Place, build_image, upload_image
from tests.openstack.stack import CloudStack
from tests.servers import devcloud

GUEST, VOLUME = "install-datastore", "create-volume"
POLL = 0.05
Span = tuple[float, float]
"""From and to, seconds since 1970."""


@dataclasses.dataclass(frozen=True)
class Created:
    """One create, seconds."""

    total: float
    """From sending the POST until a GET said ACTIVE."""
    nova: Span
    cinder: Span
    steps: dict[str, float]
    """Name -> how long."""

    @property
    def theirs(self) -> float:
        """In which at least one of them was at work."""
        return _covered([self.nova, self.cinder])

    @property
    def own(self) -> float:
        """What is left: the guest's, and dbflow's."""
        return self.total - self.theirs

    @property
    def guest(self) -> float:
        """Of that, boot and the database's own time."""
        return self.steps[GUEST]

    @property
    def dbflow(self) -> float:
        """Beyond everybody else's."""
        return self.own - self.guest


def add_options(parser: argparse.ArgumentParser) -> None:
    """The options of this benchmark."""
    parser.add_argument("--runs", type=int, default=5, help="creates (default: %(default)s)")


def run(options: argparse.Namespace) -> None:
    """Measure and print. RuntimeError when an instance is ERROR."""
    with contextlib.ExitStack() as exits:
        cloud = exits.enter_context(devcloud.running())
        images = pathlib.Path(exits.enter_context(tempfile.TemporaryDirectory()))
        stack = exits.enter_context(CloudStack(images, Place.make(cloud), upload_image(cloud, build_image(images))))
        _print([created(stack) for _ in range(options.runs)], float(stack.place.options()["poll_interval"]))


def created(stack: CloudStack) -> Created:
    """Create an instance, and delete it again."""
    client, began = stack.client(), time.monotonic()
    instance_id, operation_id = client.create("cost", flavor="2")
    try:
        made, available = _watched(client, instance_id, stack.place)
        total = time.monotonic() - began
        steps = {one["name"]: _span(one["started"], one["finished"]) for one in client.operation(operation_id)["steps"]}
        lengths = {name: end - start for name, (start, end) in steps.items()}
        # It may have been in use before it was looked at again: dbflow had seen it by the end of the step.
        cinder = (made, available or steps[VOLUME][1])
        return Created(total, _nova(stack.place, instance_id), cinder, lengths)
    finally:
        client.deleted(instance_id)


def _watched(client: Client, instance_id: str, place: Place) -> tuple[float, float | None]:
    """Until it is ACTIVE: when the volume was made, and when it was available, which Cinder knows until the server gets
    it."""
    made, available = None, None
    while (shown := client.show(instance_id))["status"] != "ACTIVE":
        if shown["status"] == "ERROR":
            raise RuntimeError(f"the instance is ERROR: {shown['fault']['message']}")
        if available is None:
            for volume in place.admin.block_storage.volumes(name=f"dbflow-{instance_id}"):
                made, updated = _span(volume.created_at, volume.updated_at or volume.created_at)
                available = updated if volume.status == "available" else None
        time.sleep(POLL)
    if made is None:
        raise RuntimeError("the volume was never seen")
    return made, available


def _nova(place: Place, instance_id: str) -> Span:
    nova = place.admin.compute
    server = nova.find_server(f"dbflow-{instance_id}", ignore_missing=False)
    (action,) = (one for one in nova.server_actions(server.id) if one.action == "create")
    events = nova.get_server_action(action.request_id, server.id).events
    return _span(action.start_time, max(event.finish_time for event in events))


def _span(begun: str, ended: str) -> Span:
    """Of times that are UTC where they do not say."""
    times = [datetime.datetime.fromisoformat(one) for one in (begun, ended)]
    start, end = ((one if one.tzinfo else one.replace(tzinfo=datetime.UTC)).timestamp() for one in times)
    return start, end


def _covered(spans: list[Span]) -> float:
    """Seconds that are in at least one of them."""
    covered, until = 0.0, 0.0
    for start, end in sorted(spans):
        covered += max(0.0, end - max(start, until))
        until = max(until, end)
    return covered


def _print(made: list[Created], poll_interval: float) -> None:
    """Means, since of several whole seconds those tell more."""

    def mean(values: list[float]) -> float:
        return sum(values) / len(values)

    figures = {
        "total_s": mean([one.total for one in made]),
        "nova_s": mean([_covered([one.nova]) for one in made]),
        "cinder_s": mean([_covered([one.cinder]) for one in made]),
        "own_s": mean([one.own for one in made]),
        "guest_s": mean([one.guest for one in made]),
        "dbflow_s": mean([one.dbflow for one in made]),
    }
    names = (
        "POST to ACTIVE",
        "  Nova: server",
        "  Cinder: volume",
        "  beyond these",
        f"    of that {GUEST}: boot, and the database's own time",
        "    of that dbflow's own part",
    )
    rows: list[list[object]] = [[name, value] for name, value in zip(names, figures.values(), strict=True)]
    report.print_table(f"means of {len(made)} creates, poll_interval {poll_interval:g} s", ["", "s"], rows)
    print(report.machine())
    report.print_json({"bench": "openstack", "poll_interval_s": poll_interval, **figures})
