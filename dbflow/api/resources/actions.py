# SPDX-License-Identifier: Apache-2.0
"""/instances/{id}/action: one resource, as Trove has it, with one verb in its body."""

from collections.abc import Callable
from typing import Any

from flask import Response
from flask_restx import Resource

from dbflow.api import body
from dbflow.api.docs import documented
from dbflow.api.here import answer, authorize, caller, services
from dbflow.api.resources.base import namespace
from dbflow.api.schemas.instances import ACTION
from dbflow.services import actions, replication
from dbflow.services.errors import BadRequest

ns = namespace("actions", "What can be done to an instance", "/instances/<instance_id>/action")


@ns.route("")
class Action(Resource):
    """The verbs of an instance."""

    @documented("Restart, resize, promote, eject or reset an instance.", body=ACTION, status=202, also=(422, 503))
    def post(self, instance_id: str) -> Response:
        """Act"""
        ((verb, details),) = body.read(ACTION).items()
        operation = _VERBS[verb](instance_id, details or {})
        return answer(status=202, operation=operation)


def _restart(instance_id: str, details: dict[str, Any]) -> str:
    authorize("instance:restart")
    return actions.restart(services(), caller(), instance_id)


def _resize(instance_id: str, details: dict[str, Any]) -> str:
    if len(details.keys() & {"volume", "flavorRef"}) != 1:
        raise BadRequest("Validation error: resize: exactly one of 'volume' and 'flavorRef' is required.")
    if "flavorRef" in details:
        authorize("instance:resize_flavor")
        return actions.resize_flavor(services(), caller(), instance_id, details["flavorRef"])
    authorize("instance:resize_volume")
    volume = details["volume"]
    size = volume["size"] if isinstance(volume, dict) else volume
    return actions.resize_volume(services(), caller(), instance_id, size)


def _promote(instance_id: str, details: dict[str, Any]) -> str:
    authorize("instance:promote_to_replica_source")
    return replication.promote(services(), caller(), instance_id)


def _eject(instance_id: str, details: dict[str, Any]) -> str:
    authorize("instance:eject_replica_source")
    return replication.eject(services(), caller(), instance_id)


def _reset_status(instance_id: str, details: dict[str, Any]) -> None:
    authorize("instance:force_delete" if "force_delete" in details else "instance:reset_status")
    actions.reset_status(services(), caller(), instance_id)


_VERBS: dict[str, Callable[[str, dict[str, Any]], str | None]] = {
    "restart": _restart,
    "resize": _resize,
    "promote_to_replica_source": _promote,
    "eject_replica_source": _eject,
    "reset_status": _reset_status,
}
