# SPDX-License-Identifier: Apache-2.0
"""/instances/{id}/modules"""

from flask import Response
from flask_restx import Resource

from dbflow.api import body, queries
from dbflow.api.docs import documented
from dbflow.api.here import ADMINISTER, allowed, answer, authorize, caller, services
from dbflow.api.resources.base import namespace
from dbflow.api.schemas import modules as schemas
from dbflow.api.views import modules as views
from dbflow.api.waiting import await_end, done
from dbflow.services import instance_modules

ns = namespace("instance modules", "The modules of an instance", "/instances/<instance_id>/modules")


@ns.route("")
class InstanceModules(Resource):
    """What was put on it."""

    @documented(
        "List the modules of an instance, as dbflow or as its guest knows them.",
        returns=schemas.ON_INSTANCE,
        params={
            "from_guest": {"type": "boolean", "description": "Ask the guest."},
            "include_contents": {"type": "boolean", "description": "Of the guest, with their contents."},
        },
        also=(422, 503),
    )
    def get(self, instance_id: str) -> Response:
        """List"""
        authorize("instance:module_list")
        from_guest, contents = queries.flag("from_guest"), bool(queries.flag("include_contents"))
        if from_guest:
            if contents:
                # They may be passwords: for those who may put the like there.
                authorize("instance:module_apply")
            may = allowed(ADMINISTER)
            found = instance_modules.from_guest(services(), caller(), instance_id, contents=contents, secret=may)
            return answer({"modules": found})
        known = instance_modules.applied(services(), caller(), instance_id)
        return answer({"modules": [views.applied(one) for one in known]})

    @documented("Apply modules, all of them or none.", body=schemas.APPLY, returns=schemas.RESULTS, also=(422,))
    def post(self, instance_id: str) -> Response:
        """Apply"""
        authorize("instance:module_apply")
        wanted = body.read(schemas.APPLY)["modules"]
        operation = instance_modules.apply(services(), caller(), instance_id, wanted)
        await_end(operation)
        ids = [one["id"] for one in wanted]
        found = instance_modules.results(services(), caller(), instance_id, ids)
        return answer({"modules": found}, operation=operation)


@ns.route("/<module_id>")
class InstanceModule(Resource):
    """One of them."""

    @documented("Take a module away.", also=(422,))
    def delete(self, instance_id: str, module_id: str) -> Response:
        """Remove"""
        authorize("instance:module_remove")
        return done(instance_modules.remove(services(), caller(), instance_id, module_id), 200)
