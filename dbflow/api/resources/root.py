# SPDX-License-Identifier: Apache-2.0
"""/instances/{id}/root"""

from flask import Response
from flask_restx import Resource

from dbflow.api import body
from dbflow.api.docs import documented
from dbflow.api.here import answer, authorize, caller, services
from dbflow.api.resources.base import namespace
from dbflow.api.schemas import accounts as schemas
from dbflow.services import accounts

ns = namespace("root", "The administrator of an instance", "/instances/<instance_id>/root")


@ns.route("")
class Root(Resource):
    """Whether the administrator is let in."""

    @documented("Whether root can log in.", returns=schemas.ROOT_ENABLED, also=(422,))
    def get(self, instance_id: str) -> Response:
        """Show"""
        authorize("instance:extension:root:index")
        return answer({"rootEnabled": accounts.root_enabled(services(), caller(), instance_id)})

    @documented("Enable root; the password is shown once.", body=schemas.ENABLE_ROOT, returns=schemas.ROOT_SEEN)
    def post(self, instance_id: str) -> Response:
        """Enable"""
        authorize("instance:extension:root:create")
        password = body.read(schemas.ENABLE_ROOT, optional=True).get("password")
        return answer({"user": accounts.enable_root(services(), caller(), instance_id, password)})

    @documented("Disable root.", status=204, also=(422,))
    def delete(self, instance_id: str) -> Response:
        """Disable"""
        authorize("instance:extension:root:delete")
        accounts.disable_root(services(), caller(), instance_id)
        return answer(status=204)
