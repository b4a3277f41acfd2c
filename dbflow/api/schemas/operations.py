# SPDX-License-Identifier: Apache-2.0
"""Operations, as answered; errors, of Trove's resources and of our own (RFC 9457)."""

from dbflow.api.schemas.common import LINKS, Schema, obj, several

_STRING: Schema = {"type": "string"}
_NULLABLE: Schema = {"type": ["string", "null"]}
STEP = obj(
    ["name", "state", "intention", "progress", "attempt"],
    name=_STRING,
    state=_STRING,
    intention=_STRING,
    progress={"type": "number"},
    attempt={"type": "integer"},
    started=_NULLABLE,
    finished=_NULLABLE,
    failure=_NULLABLE,
)
OPERATION = obj(
    ["id", "name", "kind", "version", "target", "state", "done", "actions", "created", "attempts", "links"],
    id=_STRING,
    name=_STRING,
    kind=_STRING,
    version={"type": "integer"},
    target=obj(["type", "id"], type=_STRING, id=_STRING),
    project_id=_STRING,
    user_id=_STRING,
    request_id=_STRING,
    state=_STRING,
    requested=_STRING,
    after=_STRING,
    done={"type": "boolean"},
    progress={"type": "number"},
    note=_STRING,
    error=obj(["message"], message=_STRING),
    actions=several(_STRING),
    attempts={"type": "integer"},
    conductor=_STRING,
    created=_STRING,
    started=_STRING,
    finished=_STRING,
    steps=several(STEP),
    links=LINKS,
)
ONE = obj(["operation"], operation=OPERATION)
LIST = obj(["operations"], operations=several(OPERATION), links=LINKS)
GRAPH = obj(
    ["graph", "steps"],
    graph=obj(["nodes", "edges"], nodes=several({"type": "object"}), edges=several({"type": "array"})),
    steps={"type": "object"},
)
FAULT: Schema = {
    "type": "object",
    "additionalProperties": obj(["code", "message"], code={"type": "integer"}, message={"type": "string"}),
}
"""Of Trove's resources."""
PROBLEM = obj(["title", "status", "detail"], type=_STRING, title=_STRING, status={"type": "integer"}, detail=_STRING)
