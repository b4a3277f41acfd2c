# SPDX-License-Identifier: Apache-2.0
"""Nova, Cinder, Neutron and Glance as lists: as much of them as the driver asks for.

What takes time in the real ones takes one look here: it is as it was when it is first looked at, and done afterwards.
"""

import re
from collections.abc import Callable
from typing import Any

from tests.unit.openstack.http import PROJECT, Answer, Request, numbers

Json = dict[str, Any]
_IDS = numbers()
_WHEN = "2026-01-01T00:00:00Z"
_HOST = "OS-EXT-SRV-ATTR:host"
_STOPPABLE = frozenset({"ACTIVE", "ERROR"})
"""States in which Nova stops a server."""


def missing(what: str) -> Answer:
    return 404, {"itemNotFound": {"message": f"{what} could not be found"}}


class Cinder:
    """Volumes."""

    def __init__(self) -> None:
        self.volumes: dict[str, Json] = {}
        self.attachments: dict[str, Json] = {}
        self.fails: str | None = None
        """What is made or extended ends in error, of this reason."""
        self.full = False
        """Nothing is extended: it stays as it is."""
        self.extended: list[int] = []
        """Sizes that were asked for."""
        self.snapshots: set[str] = set()
        """Volumes of which there are some."""
        self.messages: list[Json] = []
        """Newest first."""
        self.page = 1000

    def __call__(self, request: Request, path: str) -> Answer:  # noqa: PLR0911
        if path == "/types":
            return 200, {"volume_types": [{"name": "ssd"}]}
        if path == "/messages":
            (wanted,) = request.query["resource_uuid"]
            return 200, {"messages": [one for one in self.messages if one["resource_uuid"] == wanted]}
        if path == "/volumes" and request.method == "POST":
            return self._create(request.body["volume"])
        if path in ("/volumes", "/volumes/detail"):
            return self._list(request)
        if path.startswith("/attachments"):
            return self._attachments(request, path.split("/")[2:])
        volume = self.volumes.get(path.split("/")[2])
        if volume is None:
            return missing("Volume")
        match request.method, path.split("/")[3:]:
            case "GET", []:
                return 200, {"volume": volume}
            case "DELETE", [] if volume["id"] in self.snapshots and "cascade" not in request.query:
                return 400, {"badRequest": {"message": "Invalid volume: Volume must not have snapshots"}}
            case "DELETE", [] if volume["status"] == "creating":
                return 400, {"badRequest": {"message": "Invalid volume: Volume status must be available or error"}}
            case "DELETE", []:
                volume["next"], volume["status"] = None, "deleting"
                return 202, None
            case "DELETE", ["metadata", key]:
                del volume["metadata"][key]
                return 200, None
            case _, ["metadata"]:
                volume["metadata"] = volume["metadata"] | request.body["metadata"]
                return 200, {"metadata": volume["metadata"]}
        return self._act(volume, request.body)

    def _create(self, body: Json) -> Answer:
        volume = {
            **body,
            "id": next(_IDS),
            "status": "creating",
            "next": "available" if self.fails is None else "error",
            "created_at": _WHEN,
            "updated_at": _WHEN,
            "attachments": [],
            "volume_type": body.get("volume_type"),
        }
        self.volumes[volume["id"]] = volume
        if self.fails:
            self._tell(volume, self.fails)
        return 202, {"volume": dict(volume)}

    def _tell(self, volume: Json, why: str) -> None:
        self.messages.insert(0, {"id": next(_IDS), "resource_uuid": volume["id"], "user_message": why})

    def hold(self, volume_id: str, server_id: str, status: str = "in-use") -> None:
        """For a server. Cinder does not ask whether there is one."""
        attachment = {"id": next(_IDS), "volume_id": volume_id, "instance": server_id}
        self.attachments[attachment["id"]] = attachment
        shown = [{"server_id": server_id}] if status == "in-use" else []
        self.volumes[volume_id].update(attachments=shown, status=status)

    def free(self, volume_id: str) -> None:
        self.attachments = {key: one for key, one in self.attachments.items() if one["volume_id"] != volume_id}
        self.volumes[volume_id].update(attachments=[], status="available")

    def _attachments(self, request: Request, which: list[str]) -> Answer:
        if request.method == "DELETE":
            self.free(self.attachments[which[0]]["volume_id"])
        (wanted,) = request.query.get("volume_id", [None])
        return 200, {"attachments": [one for one in self.attachments.values() if one["volume_id"] == wanted]}

    def _list(self, request: Request) -> Answer:
        name = request.query.get("name")
        found = [volume for volume in self.volumes.values() if name is None or volume["name"] == name[0]]
        shown = [dict(volume) for volume in found]
        for volume in found:
            following = volume.pop("next", volume["status"])
            if following is None:
                del self.volumes[volume["id"]]
            else:
                volume["status"] = following
        start = int(request.query.get("marker", ["0"])[0])
        page: Json = {"volumes": shown[start : start + self.page]}
        if start + self.page < len(shown):
            link = f"http://elsewhere/v3/volumes?marker={start + self.page}"
            page["volumes_links"] = [{"rel": "next", "href": link}]
        return 200, page

    def _act(self, volume: Json, body: Json) -> Answer:
        (action, value), *_ = body.items()
        if action == "os-reset_status":
            volume["status"] = value["status"]
            return 202, None
        self.extended.append(value["new_size"])
        if self.fails:
            volume["status"] = "error_extending"
            self._tell(volume, self.fails)
        elif self.full:
            volume["next"], volume["status"] = volume["status"], "extending"
            self._tell(volume, "extend volume: Could not find any available weighted backend.")
        else:
            volume["next"], volume["status"] = volume["status"], "extending"
            volume["size"] = value["new_size"]
        return 202, None


class Neutron:
    """Ports, groups, floating addresses, networks."""

    def __init__(self) -> None:
        network = {"id": "net-1", "project_id": "p1", "shared": False, "subnets": ["sub-1"]}
        subnet = {"id": "sub-1", "network_id": "net-1", "cidr": "10.0.0.0/24"}
        self.things: dict[str, dict[str, Json]] = {
            "ports": {},
            "security-groups": {},
            "security-group-rules": {},
            "floatingips": {},
            "networks": {"net-1": network},
            "subnets": {"sub-1": subnet},
            "rbac-policies": {},
        }

    def __call__(self, request: Request, path: str) -> Answer:
        kind, _, thing_id = path.strip("/").partition("/")
        things, key = self.things[kind], kind.replace("-", "_")
        one = "rbac_policy" if kind == "rbac-policies" else key.removesuffix("s")
        if request.method == "POST":
            return self._create(kind, one, key, request.body)
        if not thing_id:
            return 200, {key: [self._shown(kind, thing) for thing in things.values() if _fits(thing, request)]}
        if thing_id not in things:
            return missing(one)
        if request.method == "DELETE":
            return self._delete(kind, things[thing_id])
        if request.method == "PUT":
            things[thing_id].update(request.body[one])
        return 200, {one: self._shown(kind, things[thing_id])}

    def _create(self, kind: str, one: str, key: str, body: Json) -> Answer:
        if key in body:
            return 201, {key: [self._new(kind, each) for each in body[key]]}
        for group in body[one].get("security_groups") or ():
            if group not in self.things["security-groups"]:
                return missing("Security group")
        return 201, {one: self._new(kind, body[one])}

    def _new(self, kind: str, body: Json) -> Json:
        thing = {"project_id": PROJECT, "description": "", "created_at": _WHEN, **body, "id": next(_IDS)}
        number = len(self.things[kind]) + 5
        if kind == "ports":
            thing["wished"] = thing.get("fixed_ips")
            thing |= {
                "device_id": "",
                "device_owner": "",
                "admin_state_up": True,
                "fixed_ips": [{"ip_address": f"10.0.0.{number}"}],
            }
        elif kind == "floatingips":
            thing["floating_ip_address"] = f"198.51.100.{number}"
        self.things[kind][thing["id"]] = thing
        return self._shown(kind, thing)

    def _shown(self, kind: str, thing: Json) -> Json:
        if kind != "security-groups":
            return thing
        rules = [
            rule for rule in self.things["security-group-rules"].values() if rule["security_group_id"] == thing["id"]
        ]
        return {**thing, "security_group_rules": rules}

    def _delete(self, kind: str, thing: Json) -> Answer:
        ports = self.things["ports"].values()
        if kind == "security-groups" and any(thing["id"] in port["security_groups"] for port in ports):
            return 409, {"NeutronError": {"message": f"Security Group {thing['id']} in use."}}
        del self.things[kind][thing["id"]]
        rules = self.things["security-group-rules"]
        for rule in list(rules.values()):
            if thing["id"] in (rule["security_group_id"], rule["remote_group_id"]):
                del rules[rule["id"]]
        return 204, None


def _fits(thing: Json, request: Request) -> bool:
    named = {key: values for key, values in request.query.items() if key != "fixed_ips"}
    addresses = {f"ip_address={one['ip_address']}" for one in thing.get("fixed_ips") or ()}
    return all(thing.get(key) in values for key, values in named.items()) and (
        "fixed_ips" not in request.query or request.query["fixed_ips"][0] in addresses
    )


class Glance:
    """Images."""

    def __init__(self) -> None:
        self.images = [_image("old", "service"), _image("new", "public"), _image("foreign", "tenant")]

    def __call__(self, request: Request, path: str) -> Answer:
        if path == "/images":
            return 200, {"images": list(reversed(self.images))}
        found = [image for image in self.images if path == f"/images/{image['id']}"]
        return (200, found[0]) if found else missing("Image")


def _image(image_id: str, whose: str) -> Json:
    owner = PROJECT if whose == "service" else "somebody"
    visibility = "public" if whose == "public" else "private"
    return {
        "id": image_id,
        "name": image_id,
        "status": "active",
        "owner": owner,
        "visibility": visibility,
        "tags": ["x"],
    }


class Nova:
    """Servers, with the actions that they were asked for."""

    def __init__(self, cinder: Cinder, neutron: Neutron) -> None:
        self.servers: dict[str, Json] = {}
        self.groups: dict[str, Json] = {}
        self.page = 1000
        """Groups that are told at once."""
        self.asked: list[str] = []
        self.fails: str | None = None
        """Reason for which the next that is begun fails."""
        self.reason = ""
        self.hosts = ["one", "two"]
        self.down: set[str] = set()
        """Hosts on which nothing ends that was begun."""
        self.dying: set[str] = set()
        """Such that Nova does not know of yet."""
        self.admin = True
        """Whether hosts are told."""
        self.blind = False
        """Whether the database of its cell is away: lists leave servers out, and say nothing."""
        self._cinder, self._neutron = cinder, neutron

    def __call__(self, request: Request, path: str) -> Answer:  # noqa: PLR0911
        parts = path.strip("/").split("/")
        match parts:
            case ["flavors", "detail"]:
                return 200, {"flavors": [_flavor("2", 512), _flavor("1", 256)]}
            case ["flavors", flavor_id]:
                return (200, {"flavor": _flavor(flavor_id, 256)}) if flavor_id in "12" else missing("Flavor")
            case ["os-availability-zone"]:
                return 200, {"availabilityZoneInfo": [{"zoneName": "nova", "zoneState": {"available": True}}]}
            case ["os-services"]:
                return self._services(request)
            case ["os-server-groups", *rest]:
                return self._groups(request, rest)
            case ["servers", "detail"]:
                return 200, {"servers": self._list(request.query["name"][0])}
            case ["servers"]:
                return self._create(request.body)
            case ["servers", _, *_] if self.blind:
                return 500, {"computeFault": {"message": "Unexpected API Error."}}
            case ["servers", server_id, *rest]:
                server = self.servers.get(server_id)
                return missing("Instance") if server is None else self._of(server, request, rest)
        raise AssertionError(path)

    def _of(self, server: Json, request: Request, rest: list[str]) -> Answer:  # noqa: PLR0911
        match rest:
            case []:
                return 200, {"server": self._shown(server, "fault")}
            case ["metadata"]:
                server["metadata"].update(request.body["metadata"])
                return 200, {"metadata": server["metadata"]}
            case ["os-instance-actions"]:
                return 200, {"instanceActions": list(reversed(server["actions"]))}
            case ["os-instance-actions", _]:
                return 200, {"instanceAction": {"events": [{"details": self.reason if self.admin else None}]}}
            case ["os-volume_attachments", *which]:
                return self._attachments(server, request, which)
        (action, value), *_ = request.body.items()
        if action == "forceDelete" and server[_HOST] in self.down:
            self._remove(server)
            return 202, None
        if action == "forceDelete":
            self.asked.append(action)
            self._later(server, "deleting", lambda: self._remove(server))
            return 202, None
        return self._act(server, action, value)

    def _create(self, body: Json) -> Answer:
        wanted = body["server"]
        for network in wanted["networks"]:
            if self._neutron.things["ports"][network["port"]]["device_id"]:
                return 409, {"conflictingRequest": {"message": f"Port {network['port']} is still in use."}}
        server = {
            "id": next(_IDS),
            "name": wanted["name"],
            "metadata": dict(wanted["metadata"]),
            "flavor": {"id": wanted["flavorRef"]},
            "image": {"id": wanted["imageRef"]},
            "status": "BUILD",
            "created": _WHEN,
            "updated": _WHEN,
            "OS-EXT-STS:task_state": None,
            "OS-SRV-USG:launched_at": None,
            _HOST: "one",
            "actions": [],
            "body": body,
        }
        self.servers[server["id"]] = server
        for disk in wanted["block_device_mapping_v2"][1:]:
            self._cinder.hold(disk["uuid"], server["id"])
        for network in wanted["networks"]:
            held = {"device_id": server["id"], "device_owner": "compute:nova"}
            self._neutron.things["ports"][network["port"]] |= held
        for group in [body["os:scheduler_hints"]["group"]] if "os:scheduler_hints" in body else []:
            self.groups[group]["members"].append(server["id"])
        reason, self.fails = self.fails, None
        server["then"] = lambda: self._end(server, "ACTIVE" if reason is None else "ERROR", reason)
        return 202, {"server": {"id": server["id"]}}

    def _list(self, pattern: str) -> list[Json]:
        """As they are, and then what goes on with them ends."""
        found = [server for server in self.servers.values() if re.search(pattern, server["name"]) and not self.blind]
        shown = [self._shown(server) for server in found]
        for server in found:
            if server[_HOST] not in self.down | self.dying:
                server.pop("then", lambda: None)()
        return shown

    def _services(self, request: Request) -> Answer:
        if not self.admin:
            return 403, {"forbidden": {"message": "Policy doesn't allow os_compute_api:os-services:list."}}
        wanted = request.query.get("host", self.hosts)
        states = {one: "down" if one in self.down else "up" for one in self.hosts if one in wanted}
        return 200, {"services": [{"host": one, "status": "enabled", "state": state} for one, state in states.items()]}

    def _shown(self, server: Json, *more: str) -> Json:
        kept = {"then", "leaves", "gone", "actions", "body", "fault", *(() if self.admin else (_HOST,))} - set(more)
        return {key: value for key, value in server.items() if key not in kept}

    def _act(self, server: Json, action: str, value: Any) -> Answer:
        status = server["status"]
        if action in ("confirmResize", "revertResize") and status != "VERIFY_RESIZE":
            return 400, {"badRequest": {"message": "Instance has not been resized."}}
        if action == "os-stop" and status not in _STOPPABLE:
            return 409, {"conflictingRequest": {"message": f"Cannot 'stop' instance while it is in vm_state {status}"}}
        self.asked.append(action)
        name = {"os-stop": "stop", "os-start": "start"}.get(action, action)
        reason, self.fails = self.fails, None
        self.reason = reason or ""
        server["actions"].append({"action": name, "request_id": f"req-{name}", "message": reason and "Error"})
        ends: dict[str, Callable[[], None]] = {
            "os-stop": lambda: self._end(server, "SHUTOFF"),
            **dict.fromkeys(("os-start", "unpause", "resume", "unrescue"), lambda: self._end(server, "ACTIVE")),
            "reboot": lambda: self._end(server, "ACTIVE"),
            "rebuild": lambda: self._end(server, "ACTIVE", image={"id": (value or {}).get("imageRef")}),
            "resize": lambda: self._moved(server, {"flavor": {"id": (value or {}).get("flavorRef")}}),
            "migrate": lambda: self._moved(server, {_HOST: (value or {}).get("host") or "two"}),
            "confirmResize": lambda: self._end(server, "ACTIVE"),
            "revertResize": lambda: self._end(server, "ACTIVE", **server["old"]),
        }
        if action == "rebuild":
            server["metadata"], server["body"] = value["metadata"], {"server": value}
        failed = "ERROR" if action == "rebuild" else status
        end = ends[action] if reason is None else lambda: self._end(server, failed, reason)
        self._later(server, None if action == "confirmResize" else f"{name}-ing", end)
        return 202, None

    def _moved(self, server: Json, changes: Json) -> None:
        server["old"] = {key: server[key] for key in changes}
        self._end(server, "VERIFY_RESIZE", **changes)

    def _later(self, server: Json, task: str | None, end: Callable[[], None]) -> None:
        server["OS-EXT-STS:task_state"], server["then"] = task, end

    def _end(self, server: Json, status: str, fault: str | None = None, **changes: Any) -> None:
        server.update(changes, status=status, fault={"message": fault} if fault else {})
        server["OS-EXT-STS:task_state"] = None
        if status == "ACTIVE":
            server["OS-SRV-USG:launched_at"] = _WHEN

    def _remove(self, server: Json) -> None:
        del self.servers[server["id"]]
        for port in self._neutron.things["ports"].values():
            if port["device_id"] == server["id"]:
                port["device_id"] = ""
        for volume in self._cinder.volumes.values():
            if any(one["server_id"] == server["id"] for one in volume["attachments"]):
                self._cinder.free(volume["id"])
        for group in self.groups.values():
            group["members"] = [one for one in group["members"] if one != server["id"]]

    def _attachments(self, server: Json, request: Request, which: list[str]) -> Answer:
        if request.method != "GET" and server[_HOST] in self.down:
            return 503, {"computeFault": {"message": "The service is unavailable"}}
        if request.method == "POST":
            self._cinder.hold(request.body["volumeAttachment"]["volumeId"], server["id"])
        elif which:
            if self._cinder.volumes[which[0]]["status"] != "in-use":
                return 400, {"badRequest": {"message": "Invalid volume: Volume must be in-use to be detached"}}
            self._cinder.volumes[which[0]]["status"] = "detaching"
            server["leaves"] = which[0]
            return 202, None
        if (leaving := server.pop("leaves", None)) is not None:
            server["gone"] = leaving
        elif "gone" in server:
            self._cinder.free(server.pop("gone"))
        attached = [
            volume["id"]
            for volume in self._cinder.volumes.values()
            if any(one["server_id"] == server["id"] for one in volume["attachments"])
        ]
        return 200, {"volumeAttachments": [{"volumeId": volume_id} for volume_id in attached]}

    def _groups(self, request: Request, rest: list[str]) -> Answer:
        if request.method == "POST":
            group = {**request.body["server_group"], "id": next(_IDS), "members": []}
            self.groups[group["id"]] = group
            return 200, {"server_group": group}
        if request.method == "DELETE":
            del self.groups[rest[0]]
            return 204, None
        start = int(request.query["offset"][0])
        return 200, {"server_groups": list(self.groups.values())[start : start + self.page]}


def _flavor(flavor_id: str, ram: int) -> Json:
    return {"id": flavor_id, "name": f"f{flavor_id}", "ram": ram, "vcpus": 1, "disk": 5}


class Designate:
    """One zone of names."""

    def __init__(self) -> None:
        self.records: dict[str, Json] = {}
        self.zones = [{"id": "z1", "name": "db.example."}]
        self.fails = False
        """The next one that is deleted can't be taken out."""

    def __call__(self, request: Request, path: str) -> Answer:
        parts = path.strip("/").split("/")
        if parts == ["zones"]:
            return 200, {"zones": [zone for zone in self.zones if _fits(zone, request)], "links": {}}
        if request.method == "POST":
            record = {**request.body, "id": next(_IDS), "status": "PENDING", "created_at": _WHEN}
            self.records[record["id"]] = record
            return 202, dict(record)
        if request.method == "PUT":
            record = self.records[parts[3]]
            record.update(request.body, status="PENDING")
            return 202, dict(record)
        if request.method == "DELETE":
            self.records[parts[3]].update(action="DELETE", status="ERROR" if self.fails else "PENDING")
            self.fails = False
            return 202, None
        name = request.query.get("name")
        found = [record for record in self.records.values() if name is None or record["name"] in name]
        shown = [dict(record) for record in found]
        for record in found:
            if record.get("action") != "DELETE":
                record["status"] = "ACTIVE"
            elif record["status"] != "ERROR":
                del self.records[record["id"]]
        return 200, {"recordsets": shown, "links": {}}
