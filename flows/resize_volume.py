# SPDX-License-Identifier: Apache-2.0
"""instance.resize_volume: more room, while the database runs."""

from sqlalchemy.orm import Session
from taskflow import flow as tf_flow
from taskflow.patterns import linear_flow

from dbflow.status import Task
from flows.outcome import settle
from flows.registry import Arguments, Ending, operation
from flows.tasks.volume import ResizeVolume
from guest.tasks.volume import GrowFilesystem

EXAMPLE: Arguments = {"volume_size": 2, "old_volume_size": 1}


def ended(session: Session, ending: Ending) -> None:
    """The new size, or the old one with a fault."""
    new, old = ending.arguments["volume_size"], ending.arguments["old_volume_size"]
    done = {"volume_size": new, "quota_volume": new}
    settle(session, ending, "Resizing the volume", done=done, undone={"quota_volume": old})


@operation("instance.resize_volume", title="Resize a volume", task=Task.RESIZING, ended=ended, example=EXAMPLE)
def build(arguments: Arguments) -> tf_flow.Flow:
    """The volume, then the file system on it."""
    return linear_flow.Flow("instance.resize_volume").add(ResizeVolume(), GrowFilesystem("grow-filesystem"))
