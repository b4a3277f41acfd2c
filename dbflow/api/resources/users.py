# SPDX-License-Identifier: Apache-2.0
"""/instances/{id}/users and what each may use"""

from flask import Response
from flask_restx import Resource

from dbflow.api import body, paging
from dbflow.api.docs import PAGING, documented
from dbflow.api.here import answer, authorize, caller, services
from dbflow.api.resources.base import namespace
from dbflow.api.schemas import accounts as schemas
from dbflow.services import accounts

ns = namespace("users", "Users of an instance, as name or name@host", "/instances/<instance_id>/users")


@ns.route("")
class Users(Resource):
    """The users of an instance."""

    @documented("List users by name and host.", returns=schemas.USERS_SEEN, params=PAGING, also=(422,))
    def get(self, instance_id: str) -> Response:
        """List"""
        authorize("instance:extension:user:index")
        found, marker = accounts.list_users(services(), caller(), instance_id, *paging.asked("users"))
        return answer({"users": found, **paging.next_link(marker)})

    @documented("Create users: all of them, or none.", body=schemas.ADD_USERS, status=202, also=(422,))
    def post(self, instance_id: str) -> Response:
        """Create"""
        authorize("instance:extension:user:create")
        accounts.add_users(services(), caller(), instance_id, body.read(schemas.ADD_USERS)["users"])
        return answer(status=202)

    @documented("Change passwords: all of them, or none.", body=schemas.SET_PASSWORDS, status=202, also=(422,))
    def put(self, instance_id: str) -> Response:
        """Change passwords"""
        authorize("instance:extension:user:update_all")
        accounts.set_passwords(services(), caller(), instance_id, body.read(schemas.SET_PASSWORDS)["users"])
        return answer(status=202)


@ns.route("/<path:user>")
class User(Resource):
    """One user."""

    @documented("Show a user.", returns=schemas.ONE_USER_SEEN, also=(422,))
    def get(self, instance_id: str, user: str) -> Response:
        """Show"""
        authorize("instance:extension:user:show")
        return answer({"user": accounts.get_user(services(), caller(), instance_id, user)})

    @documented("Create this one user (as openstacksdk does).", body=schemas.ADD_NAMED_USER, status=202, also=(422,))
    def post(self, instance_id: str, user: str) -> Response:
        """Create one"""
        authorize("instance:extension:user:create")
        wanted = body.read(schemas.ADD_NAMED_USER)["users"]
        one = wanted[0] if isinstance(wanted, list) else wanted
        accounts.add_users(services(), caller(), instance_id, [{"name": user, **one}])
        return answer(status=202)

    @documented("Rename, let it come from another host, change the password.", body=schemas.UPDATE_USER, status=202)
    def put(self, instance_id: str, user: str) -> Response:
        """Change"""
        authorize("instance:extension:user:update")
        accounts.update_user(services(), caller(), instance_id, user, body.read(schemas.UPDATE_USER)["user"])
        return answer(status=202)

    @documented("Delete a user.", status=202, also=(422,))
    def delete(self, instance_id: str, user: str) -> Response:
        """Delete"""
        authorize("instance:extension:user:delete")
        accounts.delete_user(services(), caller(), instance_id, user)
        return answer(status=202)


@ns.route("/<path:user>/databases")
class UserDatabases(Resource):
    """What a user may use."""

    @documented("List the databases a user may use.", returns=schemas.DATABASES_SEEN, also=(422,))
    def get(self, instance_id: str, user: str) -> Response:
        """List access"""
        authorize("instance:extension:user_access:index")
        return answer({"databases": accounts.list_access(services(), caller(), instance_id, user)})

    @documented("Let a user use databases.", body=schemas.GRANT, status=202, also=(422,))
    def put(self, instance_id: str, user: str) -> Response:
        """Grant"""
        authorize("instance:extension:user_access:update")
        accounts.grant(services(), caller(), instance_id, user, body.read(schemas.GRANT)["databases"])
        return answer(status=202)


@ns.route("/<path:user>/databases/<path:database>")
class UserDatabase(Resource):
    """One grant."""

    @documented("Take it away.", status=202, also=(422,))
    def delete(self, instance_id: str, user: str, database: str) -> Response:
        """Revoke"""
        authorize("instance:extension:user_access:delete")
        accounts.revoke(services(), caller(), instance_id, user, database)
        return answer(status=202)
