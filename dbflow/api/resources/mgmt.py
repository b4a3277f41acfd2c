# SPDX-License-Identifier: Apache-2.0
"""/mgmt/jobs, /mgmt/conductors and /mgmt/guests: what runs the operations, for administrators"""

from flask import Response
from flask_restx import Resource

from dbflow.api import body, paging
from dbflow.api.docs import PAGING, documented
from dbflow.api.here import answer, authorize, services
from dbflow.api.resources.base import namespace
from dbflow.api.schemas import fleet as schemas
from dbflow.api.views import fleet as views
from dbflow.services import fleet

ns = namespace("mgmt", "Jobs, conductors and guests", "/mgmt")


@ns.route("/jobs")
class Jobs(Resource):
    """The jobboard."""

    @documented("List jobs in the order of the board.", returns=schemas.JOBS, also=(503,), problems=True)
    def get(self) -> Response:
        """List jobs"""
        authorize("mgmt:jobs")
        return answer({"jobs": [views.job(one) for one in fleet.jobs(services())]})


@ns.route("/conductors")
class Conductors(Resource):
    """The processes that run operations."""

    @documented("List conductors, as they report themselves.", returns=schemas.CONDUCTORS, problems=True)
    def get(self) -> Response:
        """List conductors"""
        authorize("mgmt:conductors")
        with services().database.read() as session:
            found = fleet.conductors(session)
        return answer({"conductors": [views.conductor(*one) for one in found]})


@ns.route("/conductors/<name>")
class OneConductor(Resource):
    """One of them."""

    @documented(
        "Let a conductor finish what it runs and claim nothing more, or claim again.",
        body=schemas.UPDATE_CONDUCTOR,
        status=202,
        also=(409,),
        problems=True,
    )
    def put(self, name: str) -> Response:
        """Drain"""
        authorize("mgmt:conductor_update")
        fleet.drain(services().database, name, body.read(schemas.UPDATE_CONDUCTOR)["conductor"]["draining"])
        return answer(status=202)


@ns.route("/guests")
class Guests(Resource):
    """The agents beside the databases."""

    @documented("List guests.", returns=schemas.GUESTS, params=PAGING, problems=True)
    def get(self) -> Response:
        """List guests"""
        authorize("mgmt:guests")
        limit, marker = paging.asked("guests")
        with services().database.read() as session:
            found, after = fleet.guests(session, limit, marker)
        return answer({"guests": [views.guest(*one) for one in found], **paging.next_link(after)})
