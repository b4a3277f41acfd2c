# SPDX-License-Identifier: Apache-2.0
"""/instances/{id}/ssl"""

from typing import Any

from flask import Response
from flask_restx import Resource

from dbflow.api import body, queries
from dbflow.api.docs import documented
from dbflow.api.here import answer, authorize, caller, services
from dbflow.api.resources.base import namespace
from dbflow.api.schemas import ssl as schemas
from dbflow.api.views.ssl import changed, shown
from dbflow.api.waiting import done
from dbflow.services import ssl
from dbflow.services.errors import BadRequest

ns = namespace("ssl", "TLS of an instance", "/instances/<instance_id>/ssl")
_VERBS = ("enable", "disable", "rollback")
_INCLUDE = {
    "include_certificate": {"type": "boolean", "description": "Show the certificate and those of its authorities, too."}
}


@ns.route("")
class Ssl(Resource):
    """How its server encrypts connections."""

    @documented("Show mode and certificate.", returns=schemas.SHOWN, params=_INCLUDE, also=(422,))
    def get(self, instance_id: str) -> Response:
        """Show"""
        authorize("instance:ssl_show")
        whole = bool(queries.flag("include_certificate"))
        return answer({"ssl": shown(ssl.show(services(), caller(), instance_id), whole)})

    @documented("Enable, disable, roll back.", body=schemas.ACTION, returns=schemas.CHANGED, also=(422, 503))
    def post(self, instance_id: str) -> Response:
        """Change"""
        authorize("instance:ssl_action")
        wanted = body.read(schemas.ACTION)["ssl"]
        operation = _change(instance_id, wanted)
        return done(operation, 200, lambda: {"ssl": changed(ssl.seen(services(), caller(), instance_id))})


def _change(instance_id: str, wanted: dict[str, Any]) -> str:
    verbs = [verb for verb in _VERBS if verb in wanted]
    if len(verbs) != 1:
        raise BadRequest("Validation error: ssl: exactly one of 'enable', 'disable' and 'rollback' is required.")
    if verbs == ["enable"]:
        for field in ("mode", "container_ref"):
            if field not in wanted:
                raise BadRequest(f"Validation error: ssl '{field}' is a required property")
        return ssl.enable(services(), caller(), instance_id, wanted)
    if more := wanted.keys() - set(_VERBS):
        raise BadRequest(f"Validation error: ssl '{min(more)}' is for enable only.")
    if verbs == ["disable"]:
        return ssl.disable(services(), caller(), instance_id)
    return ssl.rollback(services(), caller(), instance_id)
