# SPDX-License-Identifier: Apache-2.0
"""Names of what belongs to an instance, so that it is found again whoever made it."""

import re

_ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
INSTANCE = "dbflow_instance"
"""Key of the metadata that holds an instance's id."""
USER = "dbflow_user"
"""Key of a server's metadata: the user that its database server runs as."""

MANAGEMENT = "-management"
"""Behind the name of what an instance's second port needs."""


class Names:
    """Of one deployment."""

    def __init__(self, prefix: str) -> None:
        self.prefix = prefix

    def of(self, instance_id: str, what: str = "") -> str:
        """``what`` tells two of a kind apart."""
        return f"{self.prefix}{instance_id}{what}"

    def of_project(self, project_id: str) -> str:
        """Of what all instances of a project share."""
        return f"{self.prefix}project-{project_id}"

    def instance(self, name: str | None) -> str | None:
        """Id of the instance that a name is of; None where it is not one of ours."""
        if name is None or not name.startswith(self.prefix):
            return None
        found = _ID.match(name, len(self.prefix))
        return found.group() if found else None


def tag(instance_id: str) -> dict[str, str]:
    """The metadata of what belongs to an instance."""
    return {INSTANCE: instance_id}
