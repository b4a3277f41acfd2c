# SPDX-License-Identifier: Apache-2.0
"""Operations that Trove does while the client waits."""

from collections.abc import Callable
from typing import Any

from flask import Response, current_app

from dbflow.api.here import answer, caller, link, services
from dbflow.operations import State
from dbflow.services import operations
from dbflow.services.errors import Unprocessable
from dbflow.services.fan import TooManyViewers
from dbflow.services.feed import Feed

_UNDONE = {State.REVERTED, State.FAILED}


def done(operation_id: str | None, status: int, shown: Callable[[], Any] = lambda: None) -> Response:
    """What is to be ``shown`` then, or an empty answer, once the operation has succeeded, with a link to it.
    Unprocessable with its reason when it was undone. One that takes longer than ``[api] max_wait`` goes on, and the
    client is told no more than that it was accepted."""
    if operation_id is not None:
        await_end(operation_id)
    return answer(shown(), status, operation_id)


def await_end(operation_id: str) -> None:
    """Return when the operation has succeeded, or has taken too long. Unprocessable when it was undone."""
    feed: Feed = current_app.extensions["dbflow.feed"]
    try:
        feed.wait(operation_id, services().conf.api.max_wait, caller().user_id)
    except TooManyViewers:
        return
    ended = operations.show(services(), caller(), operation_id).operation
    if ended.state in _UNDONE:
        raise Unprocessable(ended.error or "The operation was cancelled.", {"Link": link(operation_id)})
