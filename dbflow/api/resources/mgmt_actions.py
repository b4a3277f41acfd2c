# SPDX-License-Identifier: Apache-2.0
"""/mgmt/instances/{id}/action: what only administrators may do to an instance"""

from collections.abc import Callable
from typing import Any

from flask import Response
from flask_restx import Resource

from dbflow.api import body
from dbflow.api.docs import documented
from dbflow.api.here import answer, authorize_mgmt, caller, services
from dbflow.api.resources.base import namespace
from dbflow.api.schemas.instances import MGMT_ACTION
from dbflow.services import actions, hosts, ssl, upgrades

ns = namespace("mgmt-actions", "What administrators do to an instance", "/mgmt/instances/<instance_id>/action")


@ns.route("")
class MgmtAction(Resource):
    """The administrator's verbs."""

    @documented(
        "Stop the database, reboot, rebuild or migrate the machine, renew the certificate, reset the status.",
        body=MGMT_ACTION,
        status=202,
        also=(422, 503),
    )
    def post(self, instance_id: str) -> Response:
        """Act"""
        authorize_mgmt("mgmt:instance_action")
        ((verb, details),) = body.read(MGMT_ACTION).items()
        return answer(status=202, operation=_VERBS[verb](instance_id, details or {}))


def _stop(instance_id: str, details: dict[str, Any]) -> str:
    return actions.stop(services(), caller(), instance_id)


def _reboot(instance_id: str, details: dict[str, Any]) -> str:
    return actions.reboot(services(), caller(), instance_id)


def _renew(instance_id: str, details: dict[str, Any]) -> str:
    return ssl.renew(services(), caller(), instance_id)


def _reset(instance_id: str, details: dict[str, Any]) -> None:
    actions.reset_status(services(), caller(), instance_id)


def _rebuild(instance_id: str, details: dict[str, Any]) -> str:
    return upgrades.rebuild(services(), caller(), instance_id, details["image_id"])


def _migrate(instance_id: str, details: dict[str, Any]) -> str:
    return hosts.migrate(services(), caller(), instance_id, details.get("host"))


_VERBS: dict[str, Callable[[str, dict[str, Any]], str | None]] = {
    "stop": _stop,
    "reboot": _reboot,
    "rebuild": _rebuild,
    "migrate": _migrate,
    "renew-certificate": _renew,
    "reset-task-status": _reset,
}
