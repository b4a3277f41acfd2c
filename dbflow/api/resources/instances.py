# SPDX-License-Identifier: Apache-2.0
"""/instances"""

from flask import Response
from flask_restx import Resource

from dbflow.api import body, paging
from dbflow.api.docs import PAGING, documented
from dbflow.api.here import answer, authorize, caller, services
from dbflow.api.resources.base import namespace
from dbflow.api.schemas import instances as schemas
from dbflow.api.views.instances import View, Viewer
from dbflow.services import create, instances, replicas, replication

ns = namespace("instances", "Database servers", "/instances")


def _page(view: View) -> Response:
    page = instances.page(services(), caller(), *paging.asked("instances"))
    items = [view(row, page.replicas.get(row.id, ())) for row in page.items]
    return answer({"instances": items, **paging.next_link(page.marker)})


@ns.route("")
class Instances(Resource):
    """The project's instances."""

    @documented("List instances, newest first.", returns=schemas.INSTANCES, params=PAGING)
    def get(self) -> Response:
        """List"""
        authorize("instance:index")
        return _page(Viewer().summary)

    @documented(
        "Create an instance: empty, of a backup, or replicas of another one.",
        body=schemas.CREATE,
        returns=schemas.INSTANCE,
        also=(422, 503),
    )
    def post(self) -> Response:
        """Create"""
        authorize("instance:create")
        wanted = body.read(schemas.CREATE)["instance"]
        make = replicas.create if replicas.source_reference(wanted) else create.create
        instance_id, operation = make(services(), caller(), wanted)
        row, found = instances.show(services(), caller(), instance_id)
        return answer({"instance": Viewer().detail(row, found)}, operation=operation)


@ns.route("/detail")
class InstancesDetail(Resource):
    """The project's instances with everything."""

    @documented("List instances with everything.", returns=schemas.INSTANCES_DETAIL, params=PAGING)
    def get(self) -> Response:
        """List with details"""
        authorize("instance:detail")
        return _page(Viewer().detail)


@ns.route("/<instance_id>")
class Instance(Resource):
    """One instance."""

    @documented("Show an instance.", returns=schemas.INSTANCE)
    def get(self, instance_id: str) -> Response:
        """Show"""
        authorize("instance:show")
        row, found = instances.show(services(), caller(), instance_id)
        return answer({"instance": Viewer().detail(row, found)})

    @documented("Change one attribute, and the name.", body=schemas.CHANGE, status=202, also=(422,))
    def put(self, instance_id: str) -> Response:
        """Change"""
        authorize("instance:update")
        wanted = body.read(schemas.CHANGE)["instance"]
        operation = replication.change(services(), caller(), instance_id, wanted)
        return answer(status=202, operation=operation)

    @documented("As PUT.", body=schemas.CHANGE, status=202, also=(422,))
    def patch(self, instance_id: str) -> Response:
        """Change"""
        authorize("instance:edit")
        wanted = body.read(schemas.CHANGE)["instance"]
        operation = replication.change(services(), caller(), instance_id, wanted)
        return answer(status=202, operation=operation)

    @documented("Delete, in whatever state it is.", status=202)
    def delete(self, instance_id: str) -> Response:
        """Delete"""
        authorize("instance:delete")
        operation = instances.delete(services(), caller(), instance_id)
        return answer(status=202, operation=operation)
