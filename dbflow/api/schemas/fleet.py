# SPDX-License-Identifier: Apache-2.0
"""Jobs, conductors and guests, as answered."""

from dbflow.api.schemas.common import LINKS, Schema, obj, several

_STRING: Schema = {"type": "string"}
_NULLABLE: Schema = {"type": ["string", "null"]}
_COUNT: Schema = {"type": ["integer", "null"]}
_SECONDS: Schema = {"type": ["number", "null"]}
_MOST = 1_000_000

JOB = obj(
    ["operation_id", "kind", "priority", "posted", "owner", "state"],
    operation_id=_STRING,
    kind=_STRING,
    priority=_STRING,
    posted=_NULLABLE,
    owner=_NULLABLE,
    state=_NULLABLE,
)
CONDUCTOR = obj(
    ["name", "host", "pid", "version", "leader", "flows", "draining", "operations", "started", "silent"],
    name=_STRING,
    host=_STRING,
    pid={"type": "integer"},
    version=_STRING,
    leader={"type": "boolean"},
    flows={"type": "integer"},
    draining={"type": "boolean"},
    operations=several(_STRING, most=_MOST),
    started=_STRING,
    silent=_SECONDS,
)
GUEST = obj(
    ["instance_id", "instance_name", "project_id", "task", "service_status", "silent"],
    instance_id=_STRING,
    instance_name=_STRING,
    project_id=_STRING,
    task=_STRING,
    service_status=_NULLABLE,
    datastore_version=_NULLABLE,
    agent_version=_NULLABLE,
    in_flight=_COUNT,
    silent=_SECONDS,
)
JOBS = obj(["jobs"], jobs=several(JOB, most=_MOST))
CONDUCTORS = obj(["conductors"], conductors=several(CONDUCTOR, most=_MOST))
GUESTS = obj(["guests"], guests=several(GUEST), links=LINKS)
UPDATE_CONDUCTOR = obj(["conductor"], conductor=obj(["draining"], draining={"type": "boolean"}))
