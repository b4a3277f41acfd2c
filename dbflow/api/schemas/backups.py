# SPDX-License-Identifier: Apache-2.0
"""Backups: what may be sent, and what is answered."""

from dbflow.api.schemas.common import LINKS, NAME, OPTIONAL_TEXT, REFERENCE, UUID, Schema, obj, several
from dbflow.datastores import Strategy

_PRINTABLE = r"^[^/.\x00-\x1f\x7f][^/\x00-\x1f\x7f]*$(?!\n)"
_CONTAINER: Schema = {"type": "string", "minLength": 1, "maxLength": 255, "pattern": _PRINTABLE}
_HOW: Schema = {"enum": [*(str(strategy) for strategy in Strategy), None]}
_OPTIONAL_CONTAINER: Schema = {"anyOf": [_CONTAINER, {"type": "null"}]}
_SIZE: Schema = {
    "anyOf": [
        {"type": "number", "minimum": 0},
        {"type": "string", "pattern": r"^[0-9]+(\.[0-9]+)?$", "maxLength": 20},
    ]
}

CREATE = obj(
    ["backup"],
    backup=obj(
        ["name"],
        name=NAME,
        instance=REFERENCE,
        description={"type": ["string", "null"], "maxLength": 4096},
        parent_id={"type": ["string", "null"], "maxLength": 1024},
        incremental={"enum": [0, 1, None]},
        swift_container=_OPTIONAL_CONTAINER,
        storage_driver=OPTIONAL_TEXT,
        strategy=_HOW,
        restore_from=obj(
            ["remote_location", "local_datastore_version_id", "size"],
            remote_location={"type": "string", "minLength": 1, "maxLength": 1024},
            local_datastore_version_id=UUID,
            size=_SIZE,
        ),
    ),
)
CREATE_STRATEGY = obj(
    ["backup_strategy"],
    backup_strategy=obj(
        ["swift_container"],
        closed=True,
        instance_id={"type": ["string", "null"], "maxLength": 36},
        swift_container=_CONTAINER,
        strategy=_HOW,
    ),
)

_STRING: Schema = {"type": "string"}
SEEN = obj(
    [
        "id", "name", "description", "locationRef", "instance_id", "created", "updated", "size", "status", "parent_id",
        "project_id", "datastore",
    ],
    id=_STRING,
    name=_STRING,
    description=OPTIONAL_TEXT,
    locationRef={"type": ["string", "null"]},
    instance_id=OPTIONAL_TEXT,
    created=_STRING,
    updated=_STRING,
    size={"type": ["number", "null"]},
    status=_STRING,
    parent_id=OPTIONAL_TEXT,
    project_id=_STRING,
    datastore=obj(["type", "version", "version_id"], type=_STRING, version=_STRING, version_id=_STRING),
)  # fmt: skip
BACKUP = obj(["backup"], backup=SEEN)
BACKUPS = obj(["backups"], backups=several(SEEN), links=LINKS)
STRATEGY_SEEN = obj(
    ["project_id", "instance_id", "backend", "swift_container"],
    project_id=_STRING,
    instance_id=_STRING,
    backend=_STRING,
    swift_container=_STRING,
    strategy=_STRING,
)
STRATEGY = obj(["backup_strategy"], backup_strategy=STRATEGY_SEEN)
STRATEGIES = obj(["backup_strategies"], backup_strategies=several(STRATEGY_SEEN))
