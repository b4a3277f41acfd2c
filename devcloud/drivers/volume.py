# SPDX-License-Identifier: Apache-2.0
"""Cinder volume driver: a volume is a sparse file, on which Nova's driver puts a loop device."""

import pathlib
import subprocess
from typing import Any

from cinder import exception, interface
from cinder.image import image_utils
from cinder.volume import configuration, driver
from oslo_config import cfg
from oslo_utils import units

OPTS = [
    cfg.StrOpt("devcloud_volumes_dir"),
    cfg.IntOpt("devcloud_capacity_gb", default=10000),
]
cfg.CONF.register_opts(OPTS, group=configuration.SHARED_CONF_GROUP)


@interface.volumedriver
class FileDriver(driver.VolumeDriver):
    """Extends, also while attached; copies; takes snapshots, which are copies too."""

    VERSION = "1.0"

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.configuration.append_config_values(OPTS)
        self._directory = pathlib.Path(self.configuration.devcloud_volumes_dir)

    def check_for_setup_error(self) -> None:
        self._directory.mkdir(parents=True, exist_ok=True)

    def create_volume(self, volume: Any) -> None:
        _resize(self._path(volume), volume["size"])

    def delete_volume(self, volume: Any) -> None:
        self._path(volume).unlink(missing_ok=True)

    def extend_volume(self, volume: Any, new_size: int) -> None:
        _resize(self._path(volume), new_size)

    def create_snapshot(self, snapshot: Any) -> None:
        _copy(self._directory / snapshot["volume_name"], self._path(snapshot), snapshot["volume_size"])

    def delete_snapshot(self, snapshot: Any) -> None:
        self.delete_volume(snapshot)

    def create_volume_from_snapshot(self, volume: Any, snapshot: Any) -> None:
        _copy(self._path(snapshot), self._path(volume), volume["size"])

    def create_cloned_volume(self, volume: Any, src_vref: Any) -> None:
        _copy(self._path(src_vref), self._path(volume), volume["size"])

    def revert_to_snapshot(self, context: Any, volume: Any, snapshot: Any) -> None:
        _copy(self._path(snapshot), self._path(volume), volume["size"])

    def copy_image_to_volume(
        self, context: Any, volume: Any, image_service: Any, image_id: str, disable_sparse: bool = False
    ) -> None:
        path = self._path(volume)
        image_utils.fetch_to_raw(
            context, image_service, image_id, str(path), "1M", size=volume["size"], run_as_root=False
        )
        _resize(path, volume["size"])

    def copy_volume_to_image(self, context: Any, volume: Any, image_service: Any, image_meta: Any) -> None:
        path = str(self._path(volume))
        image_utils.upload_volume(context, image_service, image_meta, path, volume, run_as_root=False)

    def ensure_export(self, context: Any, volume: Any) -> None:
        """Nothing to do."""

    def create_export(self, context: Any, volume: Any, connector: Any) -> None:
        """Nothing to do."""

    def remove_export(self, context: Any, volume: Any) -> None:
        """Nothing to do."""

    def initialize_connection(self, volume: Any, connector: Any) -> dict[str, Any]:
        path = self._path(volume)
        if not path.exists():
            raise exception.VolumeBackendAPIException(data=f"{path} is gone")
        return {"driver_volume_type": "local", "data": {"device_path": str(path), "volume_id": volume["id"]}}

    def terminate_connection(self, volume: Any, connector: Any, **kwargs: Any) -> None:
        """Nothing to do."""

    def _update_volume_stats(self) -> None:
        capacity = self.configuration.devcloud_capacity_gb
        self._stats = {
            "volume_backend_name": self.configuration.volume_backend_name,
            "vendor_name": "devcloud",
            "driver_version": self.VERSION,
            "storage_protocol": "local",
            "total_capacity_gb": capacity,
            "free_capacity_gb": capacity,
            "provisioned_capacity_gb": 0,
            "reserved_percentage": 0,
            "max_over_subscription_ratio": "20.0",
            "thin_provisioning_support": True,
            "online_extend_support": True,
            "multiattach": False,
            "QoS_support": False,
        }

    def _path(self, thing: Any) -> pathlib.Path:
        return self._directory / str(thing["name"])


def _copy(source: pathlib.Path, target: pathlib.Path, gib: int) -> None:
    subprocess.run(["cp", "--reflink=auto", "--sparse=always", source, target], check=True)
    _resize(target, gib)


def _resize(path: pathlib.Path, gib: int) -> None:
    with path.open("ab") as file:
        file.truncate(gib * units.Gi)
