# SPDX-License-Identifier: Apache-2.0
"""Who reaches an instance: its security group, and that of all instances of its owner's project.

Rules of an instance's group let in whom its access names, and the members of the project's group, so that replicas
reach their source whoever else may.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple

from dbflow.cloud import base, guard
from dbflow.cloud.openstack.client import Json, Service
from dbflow.cloud.openstack.errors import Passing
from dbflow.cloud.openstack.names import MANAGEMENT, Names

_TCP = ("tcp", "6")
"""Neutron keeps what it was given, and takes them for one."""
_EVERYBODY = {"IPv4": "0.0.0.0/0", "IPv6": "::/0"}


class Rule(NamedTuple):
    """TCP to a port, from a network or from the members of a group."""

    port: int
    ethertype: str
    prefix: str | None
    group: str | None


class SecurityGroups:
    """Of instances and of projects."""

    def __init__(self, neutron: Service, names: Names, project_id: Callable[[], str]) -> None:
        self._neutron, self._names, self._project_id = neutron, names, project_id

    def ensure(self, instance_id: str, access: Mapping[str, object], reach: base.Reach) -> list[str]:
        """Let in whom ``access`` says and nobody else; ids of the groups that the instance's port must have."""
        peers = self._peers(reach.project_id) if reach.project_id else None
        group = self._one(self._names.of(instance_id), f"Database instance {instance_id}")
        self._converge(group, _wanted(access, reach.ports, peers))
        return [group["id"], *([peers] if peers else [])]

    def closed(self, instance_id: str) -> list[str]:
        """Ids of the groups of a port that nobody is to come to: Neutron lets out whoever is in a new group."""
        name = self._names.of(instance_id, MANAGEMENT)
        return [self._one(name, f"Guest of database instance {instance_id}")["id"]]

    def delete(self, instance_id: str) -> None:
        """The instance's, after its ports; and its project's, when it was the last to be in it."""
        for group in self._named(self._names.of(instance_id, MANAGEMENT)):
            self._neutron.delete("Security group", f"/security-groups/{group['id']}")
        for group in self._named(self._names.of(instance_id)):
            # An administrator may have let in others.
            of_projects = {one["id"] for one in self.all() if one["name"].startswith(self._names.of_project(""))}
            for peers in of_projects & {rule["remote_group_id"] for rule in group["security_group_rules"]}:
                # Before our own, which leads to it.
                self._delete_unused(peers)
            self._neutron.delete("Security group", f"/security-groups/{group['id']}")

    def all(self) -> list[Json]:
        """Whatever is named as ours are."""
        found = self._list()
        return [group for group in found if group["name"].startswith(self._names.prefix)]

    def _peers(self, project_id: str) -> str:
        name = self._names.of_project(project_id)
        return str(self._one(name, f"Database instances of project {project_id}")["id"])

    def _one(self, name: str, description: str) -> Json:
        """Of several (made at once, or by a create whose answer was lost) the oldest, for all who look."""
        found = self._named(name)
        if not found:
            guard.still_wanted()
            body = {"security_group": {"name": name, "description": description}}
            self._neutron.post("Security group", "/security-groups", body)
            found = self._named(name)
        if not found:
            raise Passing(f"Security group {name} is gone again")
        for extra in found[1:]:
            self._delete_unused(extra["id"])
        return found[0]

    def _named(self, name: str) -> list[Json]:
        """Oldest first."""
        return sorted(self._list(name=name), key=lambda group: (group.get("created_at") or "", group["id"]))

    def _list(self, **query: str) -> list[Json]:
        query["project_id"] = self._project_id()
        return list(self._neutron.list("Security groups", "/security-groups", "security_groups", query))

    def _delete_unused(self, group_id: str) -> None:
        try:
            self._neutron.delete("Security group", f"/security-groups/{group_id}")
        except base.CloudError as error:
            if "in use" not in str(error):  # others are in it
                raise

    def _converge(self, group: Json, wanted: set[Rule]) -> None:
        """What is to be added comes first: whoever may go on is not cut off."""
        present = [
            (_rule(rule), rule["id"]) for rule in group["security_group_rules"] if rule["direction"] == "ingress"
        ]
        self._add(group["id"], wanted - {known for known, _ in present})
        for known, rule_id in present:
            if known not in wanted:
                self._neutron.delete("Security group rule", f"/security-group-rules/{rule_id}")

    def _add(self, group_id: str, rules: Iterable[Rule]) -> None:
        """All in one request, done or refused as a whole."""
        bodies = [_body(group_id, rule) for rule in sorted(rules, key=repr)]
        if not bodies:
            return
        guard.still_wanted()
        try:
            self._neutron.post("Security group rules", "/security-group-rules", {"security_group_rules": bodies})
        except base.NotFound as error:
            # The last instance of the project has just gone, and taken the project's group with it; or of two groups
            # that were made at once this was the younger.
            raise Passing(str(error)) from error
        except base.CloudError as error:
            if "already exists" in str(error):
                raise Passing("Security group rules are being changed") from error
            raise


def _body(group_id: str, rule: Rule) -> Json:
    return {
        "security_group_id": group_id,
        "direction": "ingress",
        "protocol": "tcp",
        "port_range_min": rule.port,
        "port_range_max": rule.port,
        "ethertype": rule.ethertype,
        "remote_ip_prefix": rule.prefix,
        "remote_group_id": rule.group,
    }


def _wanted(access: Mapping[str, object], ports: Iterable[int], peers: str | None) -> set[Rule]:
    allowed: Any = access.get("allowed_cidrs")
    prefixes = [("IPv4", str(cidr)) for cidr in allowed] if allowed else list(_EVERYBODY.items())
    rules = {Rule(port, ethertype, prefix, None) for port in ports for ethertype, prefix in prefixes}
    if peers is not None:
        rules |= {Rule(port, ethertype, None, peers) for port in ports for ethertype in _EVERYBODY}
    return rules


def _rule(rule: Json) -> Rule | None:
    """None for one that we do not make."""
    if rule["protocol"] not in _TCP or rule["port_range_min"] != rule["port_range_max"]:
        return None
    group, prefix = rule["remote_group_id"], rule["remote_ip_prefix"]
    if group is None and prefix is None:
        prefix = _EVERYBODY[rule["ethertype"]]
    return Rule(rule["port_range_min"], rule["ethertype"], prefix, group)
