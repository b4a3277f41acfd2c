# SPDX-License-Identifier: Apache-2.0
"""/instances"""

from typing import Any

from flask import Response
from flask_restx import Resource

from dbflow.api import body, paging
from dbflow.api.docs import PAGING, documented
from dbflow.api.here import answer, authorize, caller, services
from dbflow.api.resources.base import namespace
from dbflow.api.schemas import instances as schemas
from dbflow.api.views.instances import View, Viewer
from dbflow.api.waiting import done
from dbflow.services import actions, attachments, create, instances, replicas, replication, upgrades
from dbflow.services.errors import BadRequest

ns = namespace("instances", "Database servers", "/instances")

_SOURCE = {"replica_of", "slave_of"}
"""An attribute, and its old name: empty, it detaches a replica."""


def _page(view: View) -> Response:
    page = instances.page(services(), caller(), *paging.asked("instances"))
    items = [view(row, page.replicas.get(row.id, ())) for row in page.items]
    return answer({"instances": items, **paging.next_link(page.marker)})


def _change(instance_id: str, wanted: dict[str, Any]) -> Response:
    others = wanted.keys() - {"name"}
    if len(others) > 1:
        raise BadRequest("Only one attribute (except 'name') is allowed to update.")
    operation = None
    if "configuration" in wanted:
        reference = wanted.pop("configuration")
        if reference:
            operation = attachments.attach(services(), caller(), instance_id, reference)
        else:
            operation = attachments.detach(services(), caller(), instance_id)
    empty = {field for field in _SOURCE & others if not wanted[field]}
    if empty:
        rest = {field: value for field, value in wanted.items() if field not in empty}
        return _renamed(instance_id, rest, replication.detach(services(), caller(), instance_id))
    if "access" in wanted:
        operation = actions.update_access(services(), caller(), instance_id, wanted.pop("access"))
        return _renamed(instance_id, wanted, operation)
    if "datastore_version" in wanted:
        operation = upgrades.upgrade(services(), caller(), instance_id, wanted.pop("datastore_version"))
        return _renamed(instance_id, wanted, operation)
    answered = done(operation, 202)
    if wanted or operation is None:
        instances.change(services(), caller(), instance_id, wanted)
    return answered


def _renamed(instance_id: str, wanted: dict[str, Any], operation: str) -> Response:
    if wanted:
        instances.change(services(), caller(), instance_id, wanted)
    return answer(status=202, operation=operation)


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

    @documented("Change one attribute, and the name; nothing detaches.", body=schemas.CHANGE, status=202, also=(422,))
    def put(self, instance_id: str) -> Response:
        """Change"""
        authorize("instance:update")
        return _change(instance_id, body.read(schemas.CHANGE)["instance"] or {"configuration": None})

    @documented("As PUT.", body=schemas.CHANGE, status=202, also=(422,))
    def patch(self, instance_id: str) -> Response:
        """Change"""
        authorize("instance:edit")
        return _change(instance_id, body.read(schemas.CHANGE)["instance"])

    @documented("Delete, in whatever state it is.", status=202)
    def delete(self, instance_id: str) -> Response:
        """Delete"""
        authorize("instance:delete")
        operation = instances.delete(services(), caller(), instance_id)
        return answer(status=202, operation=operation)


@ns.route("/<instance_id>/configuration")
class InstanceConfiguration(Resource):
    """The values that an instance has without a group."""

    @documented("The parameters that dbflow sets for the instance's flavor.", returns=schemas.CONFIGURATION)
    def get(self, instance_id: str) -> Response:
        """Show the default configuration"""
        authorize("instance:configuration")
        found = attachments.default(services(), caller(), instance_id)
        return answer({"instance": {"configuration": found}})
