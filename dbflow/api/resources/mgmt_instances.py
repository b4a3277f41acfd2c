# SPDX-License-Identifier: Apache-2.0
"""/mgmt/instances: those of every project, for administrators"""

from flask import Response
from flask_restx import Resource

from dbflow.api import paging, queries
from dbflow.api.docs import PAGING, documented
from dbflow.api.here import answer, authorize_mgmt, caller, services
from dbflow.api.resources.base import namespace
from dbflow.api.schemas import mgmt as schemas
from dbflow.api.views import mgmt as views
from dbflow.services import hosts, mgmt_instances

ns = namespace("mgmt-instances", "Instances of every project", "/mgmt/instances")
_DELETED = {"deleted": {"type": "boolean", "description": "Only those that are deleted, or that are not."}}
_FILTERS = {
    **_DELETED,
    "project_id": {"type": "string", "description": "Of this project only."},
    "include_clustered": {"type": "boolean", "description": "Members of clusters too."},
}


@ns.route("")
class MgmtInstances(Resource):
    """All instances."""

    @documented("List instances, newest first.", returns=schemas.INSTANCES, params={**PAGING, **_FILTERS})
    def get(self) -> Response:
        """List"""
        authorize_mgmt("mgmt:instances")
        queries.flag("include_clustered")
        limit, marker = paging.asked("instances")
        deleted, project = queries.flag("deleted"), queries.text("project_id")
        page = mgmt_instances.page(services(), limit, marker, deleted=deleted, project_id=project)
        view = views.MgmtViewer(hosts.machines_of(services(), page.items)).mgmt
        items = [view(row, page.replicas.get(row.id, ())) for row in page.items]
        return answer({"instances": items, **paging.next_link(page.marker)})


@ns.route("/<instance_id>")
class MgmtInstance(Resource):
    """One instance."""

    @documented("Show an instance.", returns=schemas.INSTANCE, params=_DELETED)
    def get(self, instance_id: str) -> Response:
        """Show"""
        authorize_mgmt("mgmt:instances")
        row, replicas = mgmt_instances.show(services(), instance_id, deleted=queries.flag("deleted"))
        viewer = views.MgmtViewer(hosts.machines_of(services(), [row]))
        return answer({"instance": viewer.mgmt_detail(row, replicas)})


@ns.route("/<instance_id>/root")
class MgmtRoot(Resource):
    """Who let root in."""

    @documented("Show when root was first enabled, and by whom.", returns=schemas.ROOT_HISTORY)
    def get(self, instance_id: str) -> Response:
        """Show root history"""
        authorize_mgmt("mgmt:instances")
        row, _ = mgmt_instances.show(services(), instance_id)
        return answer({"root_history": views.root_history(row)})


@ns.route("/<instance_id>/diagnostics")
class MgmtDiagnostics(Resource):
    """The agent's process."""

    @documented("Show what the guest agent uses.", returns=schemas.DIAGNOSTICS, also=(422, 503))
    def get(self, instance_id: str) -> Response:
        """Show diagnostics"""
        authorize_mgmt("mgmt:instances")
        return answer({"diagnostics": mgmt_instances.diagnostics(services(), caller(), instance_id)})


@ns.route("/<instance_id>/hwinfo")
class MgmtHardware(Resource):
    """The machine."""

    @documented("Show what the machine has.", returns=schemas.HARDWARE, also=(422, 503))
    def get(self, instance_id: str) -> Response:
        """Show hardware"""
        authorize_mgmt("mgmt:instances")
        return answer({"hwinfo": mgmt_instances.hardware(services(), caller(), instance_id)})


@ns.route("/<instance_id>/rpc_ping")
class MgmtPing(Resource):
    """The agent."""

    @documented("Ask the guest agent whether it is there.", status=204, also=(422, 503))
    def get(self, instance_id: str) -> Response:
        """Ping"""
        authorize_mgmt("mgmt:instances")
        mgmt_instances.ping(services(), caller(), instance_id)
        return answer(status=204)
