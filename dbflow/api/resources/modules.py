# SPDX-License-Identifier: Apache-2.0
"""/modules"""

from flask import Response
from flask_restx import Resource

from dbflow.api import body, paging, queries
from dbflow.api.docs import PAGING, documented
from dbflow.api.here import ADMINISTER, allowed, answer, authorize, caller, services
from dbflow.api.resources.base import namespace
from dbflow.api.schemas import modules as schemas
from dbflow.api.views import modules as views
from dbflow.api.views.instances import Viewer
from dbflow.services import module_instances, modules

ns = namespace("modules", "What is put on instances", "/modules")


def _shown(module_id: str) -> Response:
    return answer({"module": views.detail(modules.show(services(), caller(), module_id))})


@ns.route("")
class Modules(Resource):
    """Those of the project, and those of all projects."""

    @documented(
        "List modules by name.",
        returns=schemas.LIST,
        params={"datastore": {"type": "string", "description": "For that one, by id or name; all: for any."}},
    )
    def get(self) -> Response:
        """List"""
        authorize("module:index")
        found = modules.every(services(), caller(), queries.text("datastore"))
        return answer({"modules": [views.summary(one) for one in found]})

    @documented("Make a module.", body=schemas.CREATE, returns=schemas.ONE)
    def post(self) -> Response:
        """Create"""
        authorize("module:create")
        wanted = body.read(schemas.CREATE)["module"]
        return _shown(modules.create(services(), caller(), wanted, allowed(ADMINISTER)))


@ns.route("/<module_id>")
class Module(Resource):
    """One module."""

    @documented("Show a module.", returns=schemas.ONE)
    def get(self, module_id: str) -> Response:
        """Show"""
        authorize("module:show")
        return _shown(module_id)

    @documented("Change a module.", body=schemas.UPDATE, returns=schemas.ONE, also=(422,))
    def put(self, module_id: str) -> Response:
        """Change"""
        authorize("module:update")
        wanted = body.read(schemas.UPDATE)["module"]
        found = modules.update(services(), caller(), module_id, wanted, allowed(ADMINISTER))
        return answer({"module": views.detail(found)})

    @documented("Delete a module that no instance has.", also=(422,))
    def delete(self, module_id: str) -> Response:
        """Delete"""
        authorize("module:delete")
        modules.delete(services(), caller(), module_id)
        return answer(status=200)


@ns.route("/<module_id>/instances")
class ModuleInstances(Resource):
    """Those that have it."""

    @documented(
        "List the instances that have a module, or count them by its contents.",
        returns=schemas.INSTANCES,
        params={
            **PAGING,
            "count_only": {"type": "boolean", "description": "How many, instead of which."},
            "include_clustered": {"type": "boolean", "description": "Members of clusters too."},
        },
    )
    def get(self, module_id: str) -> Response:
        """List instances"""
        authorize("module:instances")
        queries.flag("include_clustered")
        if queries.flag("count_only"):
            counts = module_instances.counts(services(), caller(), module_id)
            return answer({"instances": [views.count(one) for one in counts]})
        page = module_instances.page(services(), caller(), module_id, *paging.asked("instances"))
        view = Viewer().summary
        items = [view(row, page.replicas.get(row.id, ())) for row in page.items]
        return answer({"instances": items, **paging.next_link(page.marker)})

    @documented("Give the instances what the module is now.", body=schemas.REAPPLY, status=202, also=(422,))
    def put(self, module_id: str) -> Response:
        """Reapply"""
        authorize("module:reapply")
        wanted = body.read(schemas.REAPPLY)["reapply"]
        operation = module_instances.reapply(services(), caller(), module_id, wanted)
        return answer(status=202, operation=operation)
