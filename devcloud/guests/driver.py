# SPDX-License-Identifier: Apache-2.0
"""Nova's virt driver: upstream's fake one, of which what happens to a server happens."""

import contextlib
import pathlib
from collections.abc import Iterator, Mapping
from typing import Any

import nova.conf
from nova import exception
from nova.api.metadata import base as metadata
from nova.compute import power_state, task_states
from nova.image import glance
from nova.virt import configdrive, fake, hardware
from oslo_concurrency import lockutils
from oslo_config import cfg

from devcloud.guests import disks, images, network, power
from devcloud.guests.host import HostError
from devcloud.guests.state import Guest, all_of

CONF = nova.conf.CONF
CONF.register_opts([cfg.StrOpt("dir", help="The cloud's directory.")], group="devcloud")
NETWORK_LOCK, IMAGE_LOCK = "devcloud-network", "devcloud-image"
STATES = {"on": power_state.RUNNING, "off": power_state.SHUTDOWN}
Json = Mapping[str, Any]


class Driver(fake.SameHostColdMigrateDriver):
    """All hosts keep their servers in one directory, as on shared storage: a resize to another host moves nothing."""

    vcpus = 200
    memory_mb = 200_000
    local_gb = 20_000

    def __init__(self, virtapi: Any, read_only: bool = False) -> None:
        super().__init__(virtapi, read_only)
        self.host_status_base["supported_instances"] = [("x86_64", kind, "hvm") for kind in ("fake", "kvm", "qemu")]

    def init_host(self, host: str) -> None:
        super().init_host(host)
        for guest in all_of(_cloud()):
            self.instances[guest.uuid] = fake.FakeInstance(guest.uuid, 0, guest.uuid)

    def default_root_device_name(self, instance: Any, image_meta: Any, root_bdm: Any) -> str:
        return "/dev/vda"

    # Life

    def spawn(
        self,
        context: Any,
        instance: Any,
        image_meta: Any,
        injected_files: Any,
        admin_password: str | None,
        allocations: Any,
        network_info: Any = None,
        block_device_info: Any = None,
        power_on: bool = True,
        accel_info: Any = None,
    ) -> None:
        super().spawn(
            context,
            instance,
            image_meta,
            injected_files,
            admin_password,
            allocations,
            network_info,
            block_device_info,
            power_on,
            accel_info,
        )
        guest = _guest(instance)
        try:
            if not guest.exists:
                guest.create(_image(context, image_meta), instance.hostname)
                _write_config_drive(guest, instance, injected_files, admin_password, network_info)
            _start(guest, network_info, block_device_info, power_on)
        except BaseException:
            _remove(guest)
            self.instances.pop(instance.uuid, None)
            raise

    def power_on(
        self,
        context: Any,
        instance: Any,
        network_info: Any,
        block_device_info: Any = None,
        accel_info: Any = None,
    ) -> None:
        _start(_existing(instance), network_info, block_device_info)

    def power_off(self, instance: Any, timeout: int = 0, retry_interval: int = 0) -> None:
        with _as_nova():
            power.off(_existing(instance))

    def reboot(
        self,
        context: Any,
        instance: Any,
        network_info: Any,
        reboot_type: str,
        block_device_info: Any = None,
        bad_volumes_callback: Any = None,
        accel_info: Any = None,
    ) -> None:
        guest = _existing(instance)
        with _as_nova():
            power.off(guest, 0.0 if reboot_type == "HARD" else power.GRACE)
        _start(guest, network_info, block_device_info)

    def resume_state_on_host_boot(
        self, context: Any, instance: Any, network_info: Any, block_device_info: Any = None
    ) -> None:
        self.power_on(context, instance, network_info, block_device_info)

    def destroy(
        self,
        context: Any,
        instance: Any,
        network_info: Any,
        block_device_info: Any = None,
        destroy_disks: bool = True,
        destroy_secrets: bool = True,
    ) -> None:
        super().destroy(context, instance, network_info, block_device_info, destroy_disks, destroy_secrets)
        guest = _guest(instance)
        if destroy_disks:
            _remove(guest)
        else:
            power.off(guest)

    # Resize

    def migrate_disk_and_power_off(
        self,
        context: Any,
        instance: Any,
        dest: str,
        flavor: Any,
        network_info: Any,
        block_device_info: Any = None,
        timeout: int = 0,
        retry_interval: int = 0,
    ) -> str:
        guest = _guest(instance)
        with _as_nova():
            power.off(guest)
            for data, _ in _volumes(block_device_info):
                disks.detach(guest, data["volume_id"])
        return "{}"

    def finish_revert_migration(
        self,
        context: Any,
        instance: Any,
        network_info: Any,
        migration: Any,
        block_device_info: Any = None,
        power_on: bool = True,
    ) -> None:
        super().finish_revert_migration(context, instance, network_info, migration, block_device_info, power_on)
        if power_on:
            self.power_on(context, instance, network_info, block_device_info)

    def confirm_migration(self, context: Any, migration: Any, instance: Any, network_info: Any) -> None:
        """Nothing was left where it came from."""

    def check_instance_shared_storage_local(self, context: Any, instance: Any) -> Json:
        return {"filename": "devcloud"}

    def check_instance_shared_storage_remote(self, context: Any, data: Json) -> bool:
        return True

    def check_instance_shared_storage_cleanup(self, context: Any, data: Json) -> None:
        """Nothing to do."""

    def instance_on_disk(self, instance: Any) -> bool:
        return _guest(instance).exists

    # What it is like

    def get_info(self, instance: Any, use_cache: bool = True) -> Any:
        return hardware.InstanceInfo(state=STATES[_existing(instance).power])

    def list_instance_uuids(self) -> list[str]:
        return [guest.uuid for guest in all_of(_cloud())]

    def get_num_instances(self) -> int:
        return len(self.list_instance_uuids())

    def instance_exists(self, instance: Any) -> bool:
        return _guest(instance).exists

    def get_console_output(self, context: Any, instance: Any) -> bytes:
        return _guest(instance).tail()

    def snapshot(self, context: Any, instance: Any, image_id: str, update_task_state: Any) -> None:
        """An image of one byte."""
        uploading = task_states.IMAGE_PENDING_UPLOAD
        update_task_state(task_state=uploading)
        update_task_state(task_state=task_states.IMAGE_UPLOADING, expected_state=uploading)
        form = {"disk_format": "raw", "container_format": "bare"}
        glance.API().update(context, image_id, form, data=b"x")

    # Volumes and ports

    def attach_volume(
        self,
        context: Any,
        connection_info: Any,
        instance: Any,
        mountpoint: str,
        disk_bus: Any = None,
        device_type: Any = None,
        encryption: Any = None,
    ) -> None:
        data = connection_info["data"]
        with _as_nova():
            disks.attach(_guest(instance), data["volume_id"], data["device_path"], mountpoint)

    def detach_volume(
        self, context: Any, connection_info: Any, instance: Any, mountpoint: str, encryption: Any = None
    ) -> None:
        with _as_nova():
            disks.detach(_guest(instance), connection_info["data"]["volume_id"])

    def extend_volume(self, context: Any, connection_info: Any, instance: Any, requested_size: int) -> None:
        with _as_nova():
            disks.extend(_guest(instance), connection_info["data"]["volume_id"])

    def attach_interface(self, context: Any, instance: Any, image_meta: Any, vif: Any) -> None:
        with _as_nova(), lockutils.lock(NETWORK_LOCK, external=True):
            network.plug(_guest(instance), vif)

    def detach_interface(self, context: Any, instance: Any, vif: Any) -> None:
        with _as_nova(), lockutils.lock(NETWORK_LOCK, external=True):
            network.unplug(_guest(instance), vif["id"])


def _cloud() -> pathlib.Path:
    return pathlib.Path(CONF.devcloud.dir)


def _guest(instance: Any) -> Guest:
    return Guest(_cloud(), instance.uuid)


def _existing(instance: Any) -> Guest:
    guest = _guest(instance)
    if not guest.exists:
        raise exception.InstanceNotFound(instance_id=instance.uuid)
    return guest


@contextlib.contextmanager
def _as_nova() -> Iterator[None]:
    """What the host refuses, in words that Nova knows."""
    try:
        yield
    except HostError as error:
        raise exception.NovaException(str(error)) from error


def _image(context: Any, image_meta: Any) -> pathlib.Path | None:
    """Where it is mounted; None when there is nothing to boot."""
    if not image_meta.obj_attr_is_set("id"):
        return None
    image = str(image_meta.id)

    def download(path: str) -> None:
        glance.API().download(context, image, dest_path=path)

    with _as_nova(), lockutils.lock(IMAGE_LOCK, external=True):
        return images.mounted(_cloud(), image, download)


def _write_config_drive(
    guest: Guest, instance: Any, injected_files: Any, admin_password: str | None, network_info: Any
) -> None:
    extra = {"admin_pass": admin_password} if admin_password else {}
    told = metadata.InstanceMetadata(instance, content=injected_files, extra_md=extra, network_info=network_info)
    with configdrive.ConfigDriveBuilder(instance_md=told) as builder:
        builder._write_md_files(str(guest.directory / "config"))


def _start(guest: Guest, network_info: Any, block_device_info: Any, power_on: bool = True) -> None:
    with _as_nova():
        known = guest.read("disks")
        for data, mountpoint in _volumes(block_device_info):
            if data["volume_id"] not in known:
                disks.attach(guest, data["volume_id"], data["device_path"], mountpoint)
        with lockutils.lock(NETWORK_LOCK, external=True):
            network.make(guest, network_info or [])
        if power_on:
            power.on(guest)


def _volumes(block_device_info: Any) -> Iterator[tuple[Json, str]]:
    """Connection and place in the server of each volume of ours."""
    for mapping in (block_device_info or {}).get("block_device_mapping", []):
        data = mapping["connection_info"]["data"]
        if "device_path" in data:
            yield data, mapping["mount_device"]


def _remove(guest: Guest) -> None:
    if not guest.exists:
        return
    power.off(guest, 0.0)
    with lockutils.lock(NETWORK_LOCK, external=True):
        network.drop(guest)
    power.remove_cgroup(guest)
    guest.remove()
