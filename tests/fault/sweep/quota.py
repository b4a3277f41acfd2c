# SPDX-License-Identifier: Apache-2.0
"""What the quotas say is in use, beside what there is."""

from tests.functional.stack import Client


def quotas(client: Client) -> list[str]:
    """Violations, of a project in which nothing is going on."""
    shown = client.ask("GET", f"/mgmt/quotas/{client.project}")["quotas"]
    told = {one["resource"]: (one["in_use"], one["reserved"]) for one in shown}
    ram = {str(flavor["id"]): flavor["ram"] for flavor in client.ask("GET", "/flavors")["flavors"]}
    there = client.ask("GET", "/instances/detail")["instances"]
    counted = {
        "instances": len(there),
        "ram": sum(ram[one["flavor"]["id"]] for one in there),
        "volumes": sum(one["volume"]["size"] for one in there),
        "backups": len(client.ask("GET", "/backups?limit=1000")["backups"]),
    }
    return [
        f"quota of {name}: {told[name]} in use and reserved, {count} there"
        for name, count in counted.items()
        if told[name] != (count, 0)
    ]
