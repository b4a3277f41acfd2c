# SPDX-License-Identifier: Apache-2.0
"""What steps ask of the cloud, request by request, and the points after each: it is done, and nobody knows."""

from collections.abc import Iterator, Mapping, Sequence

from tests.fault.sweep.points import KILL, LOSE, SUCCESS, Point

EFFECTS: Mapping[str, Mapping[str, Sequence[str]]] = {
    "instance.create": {
        "create-port": (
            "the project's security group made",
            "the security group made",
            "its rules made",
            "the port made",
            "the management port's security group made",
            "the management port made",
            "the floating address made",
        ),
        "create-volume": ("the volume made",),
        "create-server": ("the volume marked", "the server asked for"),
    },
    "instance.resize_volume": {"resize-volume": ("the wish noted", "the extension asked for")},
    "instance.resize_flavor": {
        "resize-server": ("the wish noted", "the resize asked for"),
        "confirm-resize": ("the confirmation asked for",),
    },
    "instance.delete": {
        "delete-server": ("its end asked for",),
        "delete-volume": ("its end asked for",),
        "delete-port": (
            "the floating address deleted",
            "the port deleted",
            "the management port deleted",
            "the management port's security group deleted",
            "the project's security group deleted",
            "the security group deleted",
        ),
    },
}
"""Kind -> step -> what it does, in order, when its project has no other instance."""


def within(kind: str) -> Iterator[Point]:
    """After each effect the conductor dies, or the answer is lost."""
    for step, effects in EFFECTS.get(kind, {}).items():
        for number, effect in enumerate(effects, start=1):
            name = f"{step}.execute.within.{number}"
            for what in (KILL, LOSE):
                yield Point(kind, f"{what} {name}: {effect}", ((name, what),), SUCCESS)
