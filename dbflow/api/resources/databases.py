# SPDX-License-Identifier: Apache-2.0
"""/instances/{id}/databases"""

from flask import Response
from flask_restx import Resource

from dbflow.api import body, paging
from dbflow.api.docs import PAGING, documented, hidden
from dbflow.api.here import answer, authorize, caller, services
from dbflow.api.resources.base import namespace
from dbflow.api.schemas import accounts as schemas
from dbflow.services import accounts, instances
from dbflow.services.errors import Unsupported

ns = namespace("databases", "Databases of an instance", "/instances/<instance_id>/databases")


@ns.route("")
class Databases(Resource):
    """The databases of an instance."""

    @documented("List databases by name.", returns=schemas.DATABASES_SEEN, params=PAGING, also=(422,))
    def get(self, instance_id: str) -> Response:
        """List"""
        authorize("instance:extension:database:index")
        found, marker = accounts.list_databases(services(), caller(), instance_id, *paging.asked("databases"))
        return answer({"databases": found, **paging.next_link(marker)})

    @documented("Create databases: all of them, or none.", body=schemas.ADD_DATABASES, status=202, also=(422,))
    def post(self, instance_id: str) -> Response:
        """Create"""
        authorize("instance:extension:database:create")
        asked = body.read(schemas.ADD_DATABASES)
        accounts.add_databases(services(), caller(), instance_id, asked.get("databases") or [asked["database"]])
        return answer(status=202)


@ns.route("/<path:name>")
class Database(Resource):
    """One database."""

    @hidden
    def get(self, instance_id: str, name: str) -> Response:
        """Show"""
        authorize("instance:extension:database:show")
        instances.show(services(), caller(), instance_id)
        raise Unsupported("A single database can't be shown; list them.")

    @documented("Delete a database with all that is in it.", status=202, also=(422,))
    def delete(self, instance_id: str, name: str) -> Response:
        """Delete"""
        authorize("instance:extension:database:delete")
        accounts.delete_database(services(), caller(), instance_id, name)
        return answer(status=202)
