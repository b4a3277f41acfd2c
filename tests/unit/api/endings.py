# SPDX-License-Identifier: Apache-2.0
"""Operations that end without having been run."""

from typing import Any

from conductor.ending import finish
from dbflow.db.models import Operation
from dbflow.operations import State
from flows.registry import REGISTRY
from tests.unit.api.world import World


def ending(world: World, state: State = State.SUCCESS, error: str | None = None, left: Any = None) -> None:
    """From now on every operation that is posted ends at once like that."""

    def end(posted: Operation) -> None:
        with world.database.write() as session:
            operation = session.get_one(Operation, posted.id)
            arguments = world.keyring.unseal(operation.arguments)
            definition = REGISTRY.definition(operation.kind)
            finish(session, operation, definition, arguments, state, error, world.services.outbox, left)

    world.services.post = end
