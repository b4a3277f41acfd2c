# SPDX-License-Identifier: Apache-2.0
"""/configurations: groups of values for the parameters of instances"""

from flask import Response
from flask_restx import Resource

from dbflow.api import body, paging
from dbflow.api.docs import PAGING, documented
from dbflow.api.here import answer, authorize, caller, services
from dbflow.api.resources.base import namespace
from dbflow.api.schemas import configurations as schemas
from dbflow.api.views import configurations as views
from dbflow.api.waiting import done
from dbflow.services import configurations

ns = namespace("configurations", "Configuration groups", "/configurations")


def _shown(reference: str) -> Response:
    return answer({"configuration": views.detail(configurations.show(services(), caller(), reference))})


@ns.route("")
class Configurations(Resource):
    """The project's groups."""

    @documented("List groups, newest first.", returns=schemas.LIST, params=PAGING)
    def get(self) -> Response:
        """List"""
        authorize("configuration:index")
        found, marker = configurations.page(services(), caller(), *paging.asked("configurations"))
        return answer({"configurations": [views.summary(one) for one in found], **paging.next_link(marker)})

    @documented("Make a group.", body=schemas.CREATE, returns=schemas.ONE, also=(422,))
    def post(self) -> Response:
        """Create"""
        authorize("configuration:create")
        wanted = body.read(schemas.CREATE)["configuration"]
        return _shown(configurations.create(services(), caller(), wanted))


@ns.route("/<configuration>")
class Configuration(Resource):
    """One group, by id or name."""

    @documented("Show a group with its values.", returns=schemas.ONE)
    def get(self, configuration: str) -> Response:
        """Show"""
        authorize("configuration:show")
        return _shown(configuration)

    @documented("Give parameters other values, here and on all its instances.", body=schemas.PATCH, also=(422,))
    def patch(self, configuration: str) -> Response:
        """Change values"""
        authorize("configuration:edit")
        wanted = body.read(schemas.PATCH)["configuration"]
        return done(configurations.patch(services(), caller(), configuration, wanted), 200)

    @documented("Replace all values, here and on all its instances.", body=schemas.REPLACE, status=202, also=(422,))
    def put(self, configuration: str) -> Response:
        """Replace"""
        authorize("configuration:update")
        wanted = body.read(schemas.REPLACE)["configuration"]
        return done(configurations.replace(services(), caller(), configuration, wanted), 202)

    @documented("Delete a group that no instance has.", status=202)
    def delete(self, configuration: str) -> Response:
        """Delete"""
        authorize("configuration:delete")
        configurations.delete(services(), caller(), configuration)
        return answer(status=202)


@ns.route("/<configuration>/instances")
class ConfigurationInstances(Resource):
    """Those that have it."""

    @documented("List the instances that have a group.", returns=schemas.INSTANCES, params=PAGING)
    def get(self, configuration: str) -> Response:
        """List instances"""
        authorize("configuration:instances")
        found, marker = configurations.attached(services(), caller(), configuration, *paging.asked("instances"))
        items = [{"id": one.id, "name": one.name} for one in found]
        return answer({"instances": items, **paging.next_link(marker)})
