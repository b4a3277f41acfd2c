# SPDX-License-Identifier: Apache-2.0
"""A server's ruleset for nftables, from Neutron's tables."""

import collections
import dataclasses
from collections.abc import Collection, Mapping, Sequence
from typing import NamedTuple

RULESET = """\
table inet devcloud
delete table inet devcloud
table inet devcloud {{
 chain in {{
  type filter hook input priority 0; policy drop;
  iifname lo accept
  ct state established,related accept
  icmpv6 type {{ nd-neighbor-solicit, nd-neighbor-advert, nd-router-advert }} accept
{ingress}
 }}
 chain out {{
  type filter hook output priority 0; policy drop;
  oifname lo accept
  ct state established,related accept
  icmpv6 type {{ nd-neighbor-solicit, nd-neighbor-advert, nd-router-solicit }} accept
{egress}
 }}
}}
"""
PROTOCOLS = {"1": "icmp", "6": "tcp", "17": "udp", "58": "ipv6-icmp", "icmpv6": "ipv6-icmp"}
"""Other spellings -> nftables'."""


class Rule(NamedTuple):
    """A row of Neutron's securitygrouprules."""

    security_group_id: str
    remote_group_id: str | None
    direction: str
    ethertype: str
    protocol: str | None
    port_range_min: int | None
    port_range_max: int | None
    remote_ip_prefix: str | None


@dataclasses.dataclass(frozen=True)
class Tables:
    """What the rules of all ports follow from."""

    rules: Sequence[Rule]
    groups: Sequence[tuple[str, str]]
    """Port, group."""
    addresses: Sequence[tuple[str, str]]
    """Port, address."""
    unfiltered: Collection[str]
    """Ports without port security."""

    def members(self) -> Mapping[str, Collection[str]]:
        """Group -> addresses of its ports."""
        of_port = collections.defaultdict(set)
        for port, address in self.addresses:
            of_port[port].add(address)
        found: dict[str, set[str]] = collections.defaultdict(set)
        for port, group in self.groups:
            found[group] |= of_port[port]
        return found


def ruleset(ports: Mapping[str, str], tables: Tables) -> str:
    """For a server with these ports (id -> device)."""
    members = tables.members()
    lines: dict[str, list[str]] = {"ingress": [], "egress": []}
    for port, device in ports.items():
        if port in tables.unfiltered:
            lines["ingress"].append(f"  iifname {device} accept")
            lines["egress"].append(f"  oifname {device} accept")
            continue
        groups = {group for owner, group in tables.groups if owner == port}
        for rule in tables.rules:
            if rule.security_group_id in groups:
                lines[rule.direction] += _line(device, rule, members)
    texts = {direction: "\n".join(dict.fromkeys(found)) for direction, found in lines.items()}
    return RULESET.format(**texts)


def _line(device: str, rule: Rule, members: Mapping[str, Collection[str]]) -> list[str]:
    """One line; none for a remote group without members."""
    ingress, six = rule.direction == "ingress", rule.ethertype == "IPv6"
    words = ["iifname" if ingress else "oifname", device]
    side = ["ip6" if six else "ip", "saddr" if ingress else "daddr"]
    if rule.remote_group_id:
        addresses = sorted(each for each in members.get(rule.remote_group_id, ()) if (":" in each) == six)
        if not addresses:
            return []
        words += [*side, "{ " + ", ".join(addresses) + " }"]
    elif rule.remote_ip_prefix:
        words += [*side, rule.remote_ip_prefix]
    else:
        words += ["meta nfproto", "ipv6" if six else "ipv4"]
    return [f"  {' '.join(words + _protocol(rule))} accept"]


def _protocol(rule: Rule) -> list[str]:
    protocol = PROTOCOLS.get(rule.protocol or "", rule.protocol)
    if protocol in (None, "any"):
        return []
    if protocol in ("tcp", "udp") and rule.port_range_min is not None:
        return [protocol, "dport", f"{rule.port_range_min}-{rule.port_range_max}"]
    return ["meta l4proto", str(protocol)]
