# SPDX-License-Identifier: Apache-2.0
"""Databases, users, grants, root."""

from dbflow.api.schemas.common import OPTIONAL_TEXT, PASSWORD, TEXT, Schema, obj, several

DATABASE = obj(["name"], name=TEXT, character_set=OPTIONAL_TEXT, collate=OPTIONAL_TEXT)
_GRANTED = several(obj(["name"], name=TEXT))
USER = obj(["name", "password"], name=TEXT, password=PASSWORD, host=OPTIONAL_TEXT, databases=_GRANTED)
ADD_DATABASES: Schema = {
    "type": "object",
    "anyOf": [{"required": ["databases"]}, {"required": ["database"]}],
    "properties": {"databases": several(DATABASE, 1), "database": DATABASE},
}
"""``database`` is openstacksdk's spelling."""
ADD_USERS = obj(["users"], users=several(USER, 1))
ADD_NAMED_USER = obj(
    ["users"],
    users={"anyOf": [{**USER, "required": ["password"]}, several(USER, 1, 1)]},
)
"""openstacksdk: POST /users/{name} with one user where others send a list."""
SET_PASSWORDS = ADD_USERS
UPDATE_USER = obj(
    ["user"],
    user=obj(
        name={"type": ["string", "null"], "minLength": 1, "maxLength": 255},
        host=OPTIONAL_TEXT,
        password={**PASSWORD, "type": ["string", "null"]},
    ),
)
GRANT = obj(["databases"], databases=several(obj(["name"], name=TEXT), 1))
ENABLE_ROOT = obj(password={**PASSWORD, "type": ["string", "null"]})

DATABASES_SEEN = obj(["databases"], databases=several(obj(["name"], name={"type": "string"})))
USER_SEEN = obj(
    ["name", "host", "databases"],
    name={"type": "string"},
    host={"type": "string"},
    databases=several(obj(["name"], name={"type": "string"})),
)
USERS_SEEN = obj(["users"], users=several(USER_SEEN))
ONE_USER_SEEN = obj(["user"], user=USER_SEEN)
ROOT_SEEN = obj(["user"], user=obj(["name", "password"], name={"type": "string"}, password={"type": "string"}))
ROOT_ENABLED = obj(["rootEnabled"], rootEnabled={"type": "boolean"})
