# SPDX-License-Identifier: Apache-2.0
"""/instances/{id}/log"""

from flask import Response
from flask_restx import Resource

from dbflow.api import body
from dbflow.api.docs import documented
from dbflow.api.here import answer, authorize, caller, services
from dbflow.api.resources.base import namespace
from dbflow.api.schemas import logs as schemas
from dbflow.services import logs

ns = namespace("logs", "The logs of an instance", "/instances/<instance_id>/log")
_VERBS = ("enable", "disable", "publish", "discard")


@ns.route("")
class Logs(Resource):
    """What the database server writes down."""

    @documented("List logs.", returns=schemas.LIST, also=(422, 503))
    def get(self, instance_id: str) -> Response:
        """List"""
        authorize("instance:guest_log_list")
        return answer({"logs": logs.every(services(), caller(), instance_id)})

    @documented(
        "Show, enable, disable, publish, discard a log.", body=schemas.ACTION, returns=schemas.ONE, also=(422, 503)
    )
    def post(self, instance_id: str) -> Response:
        """Act"""
        wanted = body.read(schemas.ACTION)
        verbs = frozenset(verb for verb in _VERBS if wanted.get(verb))
        authorize("instance:guest_log_action" if verbs else "instance:guest_log_list")
        return answer({"log": logs.act(services(), caller(), instance_id, wanted["name"], verbs)})
