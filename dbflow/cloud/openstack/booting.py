# SPDX-License-Identifier: Apache-2.0
"""What Nova is told of a new server."""

from collections.abc import Mapping
from typing import Any, ClassVar

from dbflow.cloud import base
from dbflow.cloud.openstack import userdata
from dbflow.cloud.openstack.names import USER, Names, tag
from dbflow.cloud.openstack.networks import NeutronNetworks
from dbflow.cloud.openstack.volumes import CinderVolumes, device


class Booting:
    """Bodies of requests."""

    AGAIN: ClassVar[str] = "2.57"
    """The microversion in which a rebuild takes user data."""

    def __init__(
        self,
        names: Names,
        networks: NeutronNetworks,
        volumes: CinderVolumes,
        *,
        zone: str | None,
        filesystem: str,
        users: Mapping[str, str],
    ) -> None:
        """``zone`` where an instance names none; ``users``: manager -> the user of its database server."""
        self._names, self._networks, self._volumes = names, networks, volumes
        self._zone, self._filesystem, self._users = zone, filesystem, users

    def body(self, boot: base.Boot, group: str | None) -> dict[str, Any]:
        """Of ``POST /servers``. The volume is noted to be in use from now on."""
        if boot.image is None:
            raise base.CloudError("The datastore's version names no image (image_id or image_tags)")
        user = self._users.get(boot.manager or "")
        blank_until = None if boot.volume is None else self._volumes.new_until(boot.instance_id)
        address = boot.port.addresses[0]["address"]
        server: dict[str, Any] = {
            "name": self._names.of(boot.instance_id),
            "flavorRef": boot.flavor_id,
            "imageRef": boot.image,
            "networks": [{"port": port} for port in self._networks.ids(boot.instance_id)],
            "metadata": {**tag(boot.instance_id), **({USER: user} if user else {})},
            "config_drive": True,
            "user_data": self._user_data(address, boot.volume, boot.files, user, blank_until),
        }
        zone = boot.availability_zone or self._zone
        if zone is not None:
            server["availability_zone"] = zone
        if boot.volume is not None:
            server["block_device_mapping_v2"] = _disks(boot.image, boot.volume.id)
        hints = {} if group is None else {"os:scheduler_hints": {"group": group}}
        return {"server": server, **hints}

    def again(self, instance_id: str, image: str, files: Mapping[str, str], user: str | None) -> dict[str, Any]:
        """Of a rebuild. The volume is not new: the new machine, which knows nothing of it, never formats it."""
        address = self._networks.main(instance_id)["fixed_ips"][0]["ip_address"]
        try:
            volume = self._volumes.get(instance_id)
        except base.NotFound:
            volume = None
        return {"imageRef": image, "user_data": self._user_data(address, volume, files, user)}

    def _user_data(
        self,
        address: str,
        volume: base.Volume | None,
        files: Mapping[str, str],
        user: str | None,
        blank_until: str | None = None,
    ) -> str:
        place = userdata.Place(
            address=address,
            volume=None if volume is None else volume.id,
            device=None if volume is None else device(volume.id),
            blank_until=blank_until,
            filesystem=self._filesystem,
            run_as=user,
        )
        return userdata.render(files, place)


def _disks(image: str, volume_id: str) -> list[dict[str, Any]]:
    """The image on the flavor's own disk, and beside it the data."""
    return [
        {"boot_index": 0, "uuid": image, "source_type": "image", "destination_type": "local"},
        {
            "boot_index": -1,
            "uuid": volume_id,
            "source_type": "volume",
            "destination_type": "volume",
            "delete_on_termination": False,
        },
    ]
