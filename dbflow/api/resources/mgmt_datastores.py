# SPDX-License-Identifier: Apache-2.0
"""/mgmt/datastore-versions: what instances can be made of, as administrators make it"""

from flask import Response
from flask_restx import Resource

from dbflow.api import body, paging
from dbflow.api.docs import PAGING, documented
from dbflow.api.here import answer, authorize_mgmt, services
from dbflow.api.resources.base import namespace
from dbflow.api.schemas import mgmt as schemas
from dbflow.api.views import mgmt as views
from dbflow.services import mgmt_datastores

ns = namespace("mgmt-datastore-versions", "Versions of datastores", "/mgmt/datastore-versions")


@ns.route("")
class MgmtVersions(Resource):
    """All versions of all datastores."""

    @documented("List versions, active or not.", returns=schemas.VERSIONS, params=PAGING)
    def get(self) -> Response:
        """List"""
        authorize_mgmt("mgmt:datastore_versions")
        found, marker = mgmt_datastores.page(services(), *paging.asked("instances"))
        return answer({"versions": [views.version(one) for one in found], **paging.next_link(marker)})

    @documented("Make a version known, and its datastore.", body=schemas.NEW_VERSION, status=202)
    def post(self) -> Response:
        """Create"""
        authorize_mgmt("mgmt:datastore_versions")
        mgmt_datastores.create(services(), body.read(schemas.NEW_VERSION)["version"])
        return answer(status=202)  # with any body, Trove's client would fail


@ns.route("/<version_id>")
class MgmtVersion(Resource):
    """One of them."""

    @documented("Show a version.", returns=schemas.VERSION)
    def get(self, version_id: str) -> Response:
        """Show"""
        authorize_mgmt("mgmt:datastore_versions")
        return answer({"version": views.version(mgmt_datastores.one(services(), version_id))})

    @documented("Change a version; what is not named stays.", body=schemas.CHANGE_VERSION, status=202)
    def patch(self, version_id: str) -> Response:
        """Change"""
        authorize_mgmt("mgmt:datastore_versions")
        mgmt_datastores.update(services(), version_id, body.read(schemas.CHANGE_VERSION))
        return answer(status=202)

    @documented("Delete a version that nothing is made of.", status=202)
    def delete(self, version_id: str) -> Response:
        """Delete"""
        authorize_mgmt("mgmt:datastore_versions")
        mgmt_datastores.delete(services(), version_id)
        return answer(status=202)
