# SPDX-License-Identifier: Apache-2.0
"""/flavors"""

from flask import Response
from flask_restx import Resource

from dbflow.api.docs import documented
from dbflow.api.here import answer, authorize, services
from dbflow.api.resources.base import namespace
from dbflow.api.schemas import datastores as schemas
from dbflow.api.views.datastores import flavor

ns = namespace("flavors", "Sizes of servers", "/flavors")


@ns.route("")
class Flavors(Resource):
    """All flavors."""

    @documented("List flavors by memory.", returns=schemas.FLAVORS)
    def get(self) -> Response:
        """List"""
        authorize("flavor:index")
        return answer({"flavors": [flavor(found) for found in services().flavors.list()]})


@ns.route("/<flavor_id>")
class Flavor(Resource):
    """One flavor."""

    @documented("Show a flavor.", returns=schemas.ONE_FLAVOR)
    def get(self, flavor_id: str) -> Response:
        """Show"""
        authorize("flavor:show")
        return answer({"flavor": flavor(services().flavors.get(flavor_id))})
