# SPDX-License-Identifier: Apache-2.0
"""Security groups as nftables' rules."""

from typing import Any

from devcloud.fabric.rules import Rule, Tables, ruleset

PORTS = {"port-1": "eth0"}


def tables(*rules: Rule, unfiltered: tuple[str, ...] = ()) -> Tables:
    """Two ports are in the group, the second with addresses of both kinds."""
    return Tables(
        rules=rules,
        groups=[("port-1", "group"), ("port-2", "group")],
        addresses=[("port-2", "10.0.0.2"), ("port-2", "fd00::2")],
        unfiltered=set(unfiltered),
    )


def rule(**values: Any) -> Rule:
    given = {"security_group_id": "group", "direction": "ingress", "ethertype": "IPv4", **values}
    return Rule(**{name: given.get(name) for name in Rule._fields})  # type: ignore[arg-type]


def lines(text: str) -> list[str]:
    """Those of the port's device."""
    return [line.strip() for line in text.splitlines() if "eth0" in line]


def test_ports_of_a_prefix() -> None:
    found = ruleset(
        PORTS, tables(rule(protocol="tcp", port_range_min=3306, port_range_max=3307, remote_ip_prefix="10.1.0.0/16"))
    )
    assert lines(found) == ["iifname eth0 ip saddr 10.1.0.0/16 tcp dport 3306-3307 accept"]


def test_members_of_a_group_by_kind_of_address() -> None:
    found = ruleset(PORTS, tables(rule(remote_group_id="group"), rule(remote_group_id="group", ethertype="IPv6")))
    assert lines(found) == [
        "iifname eth0 ip saddr { 10.0.0.2 } accept",
        "iifname eth0 ip6 saddr { fd00::2 } accept",
    ]


def test_an_empty_group_lets_nobody_in() -> None:
    assert lines(ruleset(PORTS, tables(rule(remote_group_id="another")))) == []


def test_everything_may_leave() -> None:
    assert lines(ruleset(PORTS, tables(rule(direction="egress", protocol="any")))) == [
        "oifname eth0 meta nfproto ipv4 accept"
    ]


def test_rules_of_other_groups_are_not_ours() -> None:
    assert lines(ruleset(PORTS, tables(rule(security_group_id="another")))) == []


def test_without_port_security_all_goes_through() -> None:
    found = ruleset(PORTS, tables(rule(protocol="tcp"), unfiltered=("port-1",)))
    assert lines(found) == ["iifname eth0 accept", "oifname eth0 accept"]


def test_protocols_by_number() -> None:
    assert lines(ruleset(PORTS, tables(rule(protocol="1")))) == [
        "iifname eth0 meta nfproto ipv4 meta l4proto icmp accept"
    ]
