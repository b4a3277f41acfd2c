# SPDX-License-Identifier: Apache-2.0
"""/datastores/…/parameters: what configuration groups of a version may set; below /mgmt for administrators"""

from flask import Response
from flask_restx import Resource

from dbflow.api import body
from dbflow.api.docs import documented
from dbflow.api.here import answer, authorize, authorize_mgmt, caller, services
from dbflow.api.resources.base import namespace
from dbflow.api.schemas import configurations as schemas
from dbflow.api.views import configurations as views
from dbflow.services import parameters

ns = namespace("parameters", "What configuration groups may set")
_LIST = "configuration-parameters"
_ONE = "configuration-parameter"
_MGMT = "/mgmt/datastores/versions/<version>/parameters"


def _every(datastore: str | None, version: str) -> Response:
    found = parameters.every(services(), caller(), datastore, version)
    return answer({_LIST: [views.parameter(row) for row in found]})


@ns.route("/datastores/<datastore>/versions/<version>/parameters")
class Parameters(Resource):
    """Of a version of a datastore."""

    @documented("List what groups of a version may set.", returns=schemas.PARAMETERS)
    def get(self, datastore: str, version: str) -> Response:
        """List parameters"""
        authorize("configuration-parameter:index")
        return _every(datastore, version)


@ns.route("/datastores/<datastore>/versions/<version>/parameters/<name>")
class Parameter(Resource):
    """One of them."""

    @documented("Show a parameter.", returns=schemas.PARAMETER)
    def get(self, datastore: str, version: str, name: str) -> Response:
        """Show parameter"""
        authorize("configuration-parameter:show")
        return answer(views.parameter(parameters.one(services(), caller(), datastore, version, name)))


@ns.route("/datastores/versions/<version>/parameters")
class ParametersByVersion(Resource):
    """Of a version, by its id."""

    @documented("List what groups of a version may set, by its id.", returns=schemas.PARAMETERS)
    def get(self, version: str) -> Response:
        """List parameters by version"""
        authorize("configuration-parameter:index_by_version")
        return _every(None, version)


@ns.route("/datastores/versions/<version>/parameters/<name>")
class ParameterByVersion(Resource):
    """One of them."""

    @documented("Show a parameter, by the id of its version.", returns=schemas.PARAMETER)
    def get(self, version: str, name: str) -> Response:
        """Show parameter by version"""
        authorize("configuration-parameter:show_by_version")
        return answer(views.parameter(parameters.one(services(), caller(), None, version, name)))


@ns.route(_MGMT)
class MgmtParameters(Resource):
    """For administrators, who change what there is."""

    @documented("List parameters, deleted or not.", returns=schemas.MGMT_PARAMETERS)
    def get(self, version: str) -> Response:
        """List parameters"""
        authorize_mgmt("mgmt:parameters")
        found = parameters.every(services(), caller(), None, version, deleted=True)
        return answer({_LIST: [views.mgmt_parameter(row) for row in found]})

    @documented("Let groups set one more.", body=schemas.NEW_PARAMETER, returns=schemas.MGMT_PARAMETER)
    def post(self, version: str) -> Response:
        """Create parameter"""
        authorize_mgmt("mgmt:parameters")
        wanted = body.read(schemas.NEW_PARAMETER)[_ONE]
        return answer(views.mgmt_parameter(parameters.create(services(), caller(), version, wanted)))


@ns.route(f"{_MGMT}/<name>")
class MgmtParameter(Resource):
    """One of them."""

    @documented("Show a parameter.", returns=schemas.MGMT_PARAMETER)
    def get(self, version: str, name: str) -> Response:
        """Show parameter"""
        authorize_mgmt("mgmt:parameters")
        found = parameters.one(services(), caller(), None, version, name, deleted=True)
        return answer(views.mgmt_parameter(found))

    @documented("Give it another type and other bounds.", body=schemas.CHANGE_PARAMETER, returns=schemas.MGMT_PARAMETER)
    def put(self, version: str, name: str) -> Response:
        """Change parameter"""
        authorize_mgmt("mgmt:parameters")
        wanted = body.read(schemas.CHANGE_PARAMETER)[_ONE]
        return answer(views.mgmt_parameter(parameters.update(services(), caller(), version, name, wanted)))

    @documented("Let groups set it no more.", status=204)
    def delete(self, version: str, name: str) -> Response:
        """Delete parameter"""
        authorize_mgmt("mgmt:parameters")
        parameters.delete(services(), caller(), version, name)
        return answer(status=204)
