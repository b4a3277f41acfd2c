# SPDX-License-Identifier: Apache-2.0
"""/limits and /mgmt/quotas"""

from flask import Response, current_app
from flask_restx import Resource

from dbflow.api import body
from dbflow.api.docs import documented
from dbflow.api.here import answer, authorize, authorize_mgmt, caller, services
from dbflow.api.ratelimit import RateLimits
from dbflow.api.resources.base import namespace
from dbflow.api.schemas import quotas as schemas
from dbflow.services import quotas

ns = namespace("limits", "Quotas and rate limits")


@ns.route("/limits")
class Limits(Resource):
    """What the project may have, and the user may ask."""

    @documented("Show quotas and rate limits.", returns=schemas.LIMITS)
    def get(self) -> Response:
        """Show"""
        authorize("limits:index")
        absolute = {f"max_{name}": limit for name, limit in quotas.limits(services(), caller()).items()}
        rates: RateLimits = current_app.extensions["dbflow.rates"]
        return answer({"limits": [{"verb": "ABSOLUTE", **absolute}, *rates.show(caller().user_id)]})


@ns.route("/mgmt/quotas/<project_id>")
class Quotas(Resource):
    """The quotas of a project."""

    @documented("Show a project's quotas and what is in use.", returns=schemas.QUOTAS)
    def get(self, project_id: str) -> Response:
        """Show quotas"""
        authorize("limits:index")
        return answer({"quotas": quotas.show(services(), caller(), project_id)})

    @documented("Give a project its own quotas.", body=schemas.UPDATE, returns=schemas.UPDATED)
    def put(self, project_id: str) -> Response:
        """Set quotas"""
        authorize_mgmt("mgmt:quota_update")
        return answer({"quotas": quotas.update(services(), project_id, body.read(schemas.UPDATE)["quotas"])})
