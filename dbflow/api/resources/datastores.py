# SPDX-License-Identifier: Apache-2.0
"""/datastores and their versions, each by id or name"""

from flask import Response
from flask_restx import Resource

from dbflow.api.docs import documented
from dbflow.api.here import answer, authorize, caller, services
from dbflow.api.resources.base import namespace
from dbflow.api.schemas import datastores as schemas
from dbflow.api.views import datastores as views
from dbflow.services import datastores, mgmt_datastores

ns = namespace("datastores", "Kinds of databases", "/datastores")


@ns.route("")
class Datastores(Resource):
    """All datastores."""

    @documented("List datastores.", returns=schemas.DATASTORES)
    def get(self) -> Response:
        """List"""
        authorize("datastore:index")
        return answer({"datastores": [views.datastore(kind) for kind in datastores.every(services(), caller())]})


@ns.route("/<datastore>")
class Datastore(Resource):
    """One datastore."""

    @documented("Show a datastore.", returns=schemas.ONE_DATASTORE)
    def get(self, datastore: str) -> Response:
        """Show"""
        authorize("datastore:show")
        return answer({"datastore": views.datastore(datastores.one(services(), caller(), datastore))})

    @documented("Delete a datastore without versions.", status=202)
    def delete(self, datastore: str) -> Response:
        """Delete"""
        authorize("datastore:delete")
        mgmt_datastores.delete_datastore(services(), datastore)
        return answer(status=202)


@ns.route("/<datastore>/versions")
class Versions(Resource):
    """The versions of a datastore."""

    @documented("List versions.", returns=schemas.VERSIONS)
    def get(self, datastore: str) -> Response:
        """List versions"""
        authorize("datastore:version_index")
        found = datastores.one(services(), caller(), datastore).versions
        return answer({"versions": [views.version(version) for version in found]})


@ns.route("/<datastore>/versions/<version>")
class Version(Resource):
    """One version."""

    @documented("Show a version.", returns=schemas.ONE_VERSION)
    def get(self, datastore: str, version: str) -> Response:
        """Show version"""
        authorize("datastore:version_show")
        return answer({"version": views.version(datastores.version(services(), caller(), datastore, version))})


@ns.route("/versions/<version>")
class VersionAlone(Resource):
    """One version, by id."""

    @documented("Show a version by its id.", returns=schemas.ONE_VERSION)
    def get(self, version: str) -> Response:
        """Show version by id"""
        authorize("datastore:version_show_by_uuid")
        return answer({"version": views.version(datastores.version(services(), caller(), None, version))})


@ns.route("/<datastore>/versions/<version>/flavors")
class VersionFlavors(Resource):
    """What a version can run on."""

    @documented("List the flavors a version can run on.", returns=schemas.FLAVORS)
    def get(self, datastore: str, version: str) -> Response:
        """List flavors of a version"""
        authorize("datastore:list_associated_flavors")
        datastores.version(services(), caller(), datastore, version)
        return answer({"flavors": [views.flavor(flavor) for flavor in services().flavors.list()]})


@ns.route("/<datastore>/versions/<version>/volume-types")
class VersionVolumeTypes(Resource):
    """What volumes a version can use."""

    @documented("List the volume types a version is tied to; none means any.", returns=schemas.VOLUME_TYPES)
    def get(self, datastore: str, version: str) -> Response:
        """List volume types of a version"""
        authorize("datastore:list_associated_volume_types")
        datastores.version(services(), caller(), datastore, version)
        return answer({"volume_types": []})
