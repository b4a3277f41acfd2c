# SPDX-License-Identifier: Apache-2.0
"""/backups, /instances/{id}/backups and /backup_strategies"""

from typing import Any

from flask import Response
from flask_restx import Resource

from dbflow.api import body, paging, queries
from dbflow.api.docs import PAGING, documented
from dbflow.api.here import answer, authorize, caller, services
from dbflow.api.resources.base import namespace
from dbflow.api.schemas import backups as schemas
from dbflow.api.views import backups as views
from dbflow.services import backing_up, backup_strategies, backups, registering

ns = namespace("backups", "Copies of data in the object store")

_FILTERS: dict[str, dict[str, Any]] = {
    "datastore": {"type": "string", "description": "Name or id of a datastore."},
    "instance_id": {"type": "string", "description": "Of this instance only."},
    "project_id": {"type": "string", "description": "Of this project; for administrators."},
    "all_projects": {"type": "boolean", "description": "Of all projects; for administrators."},
}
_OF = {key: _FILTERS[key] for key in ("instance_id", "project_id")}


def _page(found: list[backups.Seen], offset: int | None) -> Response:
    return answer({"backups": [views.backup(one) for one in found], **paging.next_link(offset)})


def _project() -> str | None:
    """Whose backups are asked for; None: everybody's."""
    asked, everybody = queries.text("project_id"), queries.flag("all_projects")
    own = caller().project_id
    if everybody or asked not in (None, own):
        authorize("backup:index:all_projects")
    return asked or (None if everybody else own)


@ns.route("/backups")
class Backups(Resource):
    """The project's backups."""

    @documented("List backups, those changed last first.", returns=schemas.BACKUPS, params={**PAGING, **_FILTERS})
    def get(self) -> Response:
        """List"""
        authorize("backup:index")
        project = _project()
        filters = backups.Filters(project, queries.text("instance_id"), queries.text("datastore"))
        return _page(*backups.page(services(), filters, *paging.asked_offset("backups")))

    @documented(
        "Back an instance up, or register a backup (restore_from).",
        body=schemas.CREATE,
        status=202,
        returns=schemas.BACKUP,
        also=(422, 501, 503),
    )
    def post(self) -> Response:
        """Create"""
        authorize("backup:create")
        wanted = body.read(schemas.CREATE)["backup"]
        operation = None
        if wanted.get("restore_from"):
            backup_id = registering.register(services(), caller(), wanted)
        else:
            backup_id, operation = backing_up.create(services(), caller(), wanted)
        seen = backups.show(services(), caller(), backup_id)
        return answer({"backup": views.backup(seen)}, 202, operation=operation)


@ns.route("/backups/<backup_id>")
class Backup(Resource):
    """One backup."""

    @documented("Show a backup.", returns=schemas.BACKUP)
    def get(self, backup_id: str) -> Response:
        """Show"""
        authorize("backup:show")
        return answer({"backup": views.backup(backups.show(services(), caller(), backup_id))})

    @documented("Delete a backup and the incremental ones based on it.", status=202, also=(422,))
    def delete(self, backup_id: str) -> Response:
        """Delete"""
        authorize("backup:delete")
        return answer(status=202, operation=backups.delete(services(), caller(), backup_id))


@ns.route("/instances/<instance_id>/backups")
class InstanceBackups(Resource):
    """The backups of an instance, also of a deleted one."""

    @documented("List an instance's backups.", returns=schemas.BACKUPS, params=PAGING)
    def get(self, instance_id: str) -> Response:
        """List of an instance"""
        authorize("instance:backups")
        return _page(*backups.of_instance(services(), caller(), instance_id, *paging.asked_offset("backups")))


@ns.route("/backup_strategies")
class BackupStrategies(Resource):
    """Where backups go when a request does not say."""

    @documented("List backup strategies.", returns=schemas.STRATEGIES, params=_OF)
    def get(self) -> Response:
        """List strategies"""
        authorize("backup_strategy:index")
        project = _project() or caller().project_id
        found = backup_strategies.every(services(), project, queries.text("instance_id"))
        return answer({"backup_strategies": [views.strategy(row) for row in found]})

    @documented(
        "Say where, and how, backups are made.", body=schemas.CREATE_STRATEGY, status=202, returns=schemas.STRATEGY
    )
    def post(self) -> Response:
        """Create a strategy"""
        authorize("backup_strategy:create")
        wanted = body.read(schemas.CREATE_STRATEGY)["backup_strategy"]
        return answer({"backup_strategy": views.strategy(backup_strategies.create(services(), caller(), wanted))}, 202)

    @documented("Delete the strategy of the project, or of an instance.", status=202, params=_OF)
    def delete(self) -> Response:
        """Delete a strategy"""
        authorize("backup_strategy:delete")
        project = _project() or caller().project_id
        backup_strategies.delete(services(), project, queries.text("instance_id"))
        return answer(status=202)
