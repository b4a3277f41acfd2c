# SPDX-License-Identifier: Apache-2.0
"""Cinder's volumes."""

import contextlib
import datetime
from collections.abc import Callable

from dbflow.cloud import base, guard
from dbflow.cloud.openstack.attachments import HELD, Attachments
from dbflow.cloud.openstack.client import Json, Service
from dbflow.cloud.openstack.errors import of_reason, patient
from dbflow.cloud.openstack.names import Names, tag
from dbflow.cloud.openstack.waiting import Waiting, age

_MESSAGES, _ONLINE = "3.5", "3.42"
"""Microversions that brought reasons of failures, and extending while in use."""
_EXTEND = "dbflow_extend"
"""Key of the metadata: {GiB that it is to be extended to}#{id of Cinder's newest message before that was asked}."""
_NEW = "dbflow_new_until"
"""Key of the metadata: until when the volume holds no data."""
_FORMATS_WITHIN = datetime.timedelta(days=1)
"""From when a server is first asked for. Long, since it is a machine's clock that tells when it is over; but it is over
long before somebody evacuates the server, whose user data stays then while its disk, and what it knew, is lost."""
_REQUEST = 60.0
"""Seconds in which Nova has answered a request for a server, or never does."""


class CinderVolumes(base.Volumes):
    """One an instance."""

    def __init__(
        self,
        cinder: Service,
        names: Names,
        waiting: Waiting,
        attachments: Attachments,
        volume_type: str | None,
        zone: str | None,
        has_server: Callable[[str], bool],
    ) -> None:
        """``volume_type`` and ``zone`` where nothing else is said; ``has_server`` says whether an instance has one."""
        self._cinder, self._names, self._waiting, self._attachments = cinder, names, waiting, attachments
        self._type, self._zone, self._has_server = volume_type, zone, has_server

    @patient
    def create(self, instance_id: str, size: int, volume_type: str | None) -> base.Volume:
        """Create or find; ``size`` in GiB."""
        volume = self.find(instance_id)
        if volume is None:
            guard.still_wanted()
            body = {
                "name": self._names.of(instance_id),
                "size": size,
                "metadata": tag(instance_id),
                "volume_type": volume_type or self._type,
                "availability_zone": self._zone,
            }
            wanted = {key: value for key, value in body.items() if value is not None}
            volume = self._cinder.post(_named(instance_id), "/volumes", {"volume": wanted})["volume"]
        if volume["status"] == "error":
            raise self._unmade(instance_id, volume)
        return self._usable(instance_id, volume)

    def _unmade(self, instance_id: str, volume: Json) -> base.CloudError:
        """Why. One that may do better goes, so that it is asked for anew; nothing was ever on it."""
        reason = self._reason(volume)
        if reason:
            failure = of_reason(_named(instance_id), f"it is in state error.{reason}")
        else:
            # Its cinder-volume was started anew meanwhile.
            failure = base.Transient(f"{_named(instance_id)}: Cinder has given it up")
        if isinstance(failure, base.Transient):
            guard.still_wanted()
            self._cinder.delete(_named(instance_id), f"/volumes/{volume['id']}")
        return failure

    def get(self, instance_id: str) -> base.Volume:
        """NotFound when the instance has none."""
        return _volume(self._existing(instance_id))

    @patient
    def resize(self, instance_id: str, size: int) -> base.Volume:
        """Extend to ``size`` GiB, while it is in use or not. One that is larger stays so."""
        volume = self._existing(instance_id)
        if volume["status"] == "error_extending":
            self._mend(volume)
            raise self._refusal(instance_id, volume)
        if volume["size"] < size:
            if volume["status"] in ("available", "in-use"):
                self._extend(instance_id, volume, size)
                raise self._waiting.soon(f"volume of instance {instance_id} to be extended")
            if volume["status"] in HELD:
                raise self._waiting.soon(f"volume of instance {instance_id}, which is {volume['status']}, to settle")
        usable = self._usable(instance_id, volume)
        self._forget(instance_id, volume)
        return usable

    @patient
    def delete(self, instance_id: str) -> None:
        """Delete the volume and its data, and return when it is gone."""
        found = self._all(instance_id)
        for volume in found:
            self._delete(instance_id, volume)
        if found:
            raise self._waiting.since(found[0]["updated_at"], f"volume of instance {instance_id} to be deleted")

    def release(self, instance_id: str) -> None:
        """Take it from servers that never were, for an instance that has none: NotYet until a server can have it, which
        names those that there are and have it.

        A request that is still on its way in Nova may have reserved it a moment ago, and is left the time to end.
        """
        volume = self.find(instance_id)
        if volume is None or volume["status"] not in HELD:
            return
        status, since = volume["status"], volume["updated_at"]
        if age(since) >= _REQUEST and (holders := self._attachments.free(instance_id, volume)):
            status += f" (server {', '.join(holders)})"
        raise self._waiting.since(since, f"volume of instance {instance_id}, which is {status}, to be free")

    def new_until(self, instance_id: str) -> str:
        """Until when a server's guest may take the volume for a new one: a time in UTC, as ISO 8601 writes it.

        It is noted before the first server has the volume, and the same for any other that is made then.
        """
        volume = self._existing(instance_id)
        noted: str | None = volume["metadata"].get(_NEW)
        if noted is not None:
            return noted
        until = (datetime.datetime.now(datetime.UTC) + _FORMATS_WITHIN).isoformat(timespec="seconds")
        guard.still_wanted()
        body = {"metadata": {_NEW: until}}
        self._cinder.post(_named(instance_id), f"/volumes/{volume['id']}/metadata", body)
        return until

    def find(self, instance_id: str) -> Json | None:
        """As Cinder has it. Of two (a create whose answer was lost), the older is the one."""
        found = self._all(instance_id)
        for extra in found[1:]:
            if extra["status"] in ("available", "error"):
                self._cinder.delete(_named(instance_id), f"/volumes/{extra['id']}")
        return found[0] if found else None

    def status(self, volume_id: str) -> str | None:
        """As Cinder calls it, of any volume; None where there is none."""
        try:
            return str(self._cinder.get("Volume", f"/volumes/{volume_id}")["volume"]["status"])
        except base.NotFound:
            return None

    def all(self) -> list[str]:
        """Ids of the instances that have one."""
        volumes = self._cinder.list("Volumes", "/volumes", "volumes")
        return [found for found in (self._names.instance(volume["name"]) for volume in volumes) if found]

    def types(self) -> list[str]:
        """Names of those on offer."""
        return [one["name"] for one in self._cinder.list("Volume types", "/types", "volume_types")]

    def _all(self, instance_id: str) -> list[Json]:
        """Oldest first."""
        name = self._names.of(instance_id)
        found = self._cinder.list(_named(instance_id), "/volumes/detail", "volumes", {"name": name})
        ours = [volume for volume in found if volume["name"] == name]
        return sorted(ours, key=lambda volume: (volume["created_at"] or "", volume["id"]))

    def _existing(self, instance_id: str) -> Json:
        volume = self.find(instance_id)
        if volume is None:
            raise base.NotFound(f"{_named(instance_id)} cannot be found.")
        return volume

    def _usable(self, instance_id: str, volume: Json) -> base.Volume:
        status = volume["status"]
        if status == "available" or status in HELD:
            return _volume(volume)
        if status.startswith("error"):
            raise of_reason(_named(instance_id), f"it is in state {status}.{self._reason(volume)}")
        raise self._waiting.since(volume["created_at"], f"volume of instance {instance_id}, which is {status}")

    def _delete(self, instance_id: str, volume: Json) -> None:
        status = volume["status"]
        if status == "error_deleting":
            self._reset(volume, "error")
            raise base.CloudError(f"{_named(instance_id)} could not be deleted.{self._reason(volume)}")
        if status in HELD:
            # A server that is gone did not let go of it: its host was down, or Nova failed while it made it.
            if not self._has_server(instance_id):
                self._attachments.free(instance_id, volume)
        elif status == "available" or status.startswith("error"):
            self._cinder.delete(_named(instance_id), f"/volumes/{volume['id']}")
        elif status != "deleting":
            # One that no host has yet goes at once. What Cinder has begun with another ends first.
            with contextlib.suppress(base.CloudError):
                self._cinder.delete(_named(instance_id), f"/volumes/{volume['id']}")

    def _extend(self, instance_id: str, volume: Json, size: int) -> None:
        """Where there is no room Cinder leaves the volume as it was: a message that was not there before tells."""
        newest = self._message(volume).get("id", "")
        asked, _, known = volume["metadata"].get(_EXTEND, "").partition("#")
        if asked == str(size) and newest not in ("", known):
            raise self._refusal(instance_id, volume)
        guard.still_wanted()
        body = {"metadata": {_EXTEND: f"{size}#{newest}"}}
        self._cinder.post(_named(instance_id), f"/volumes/{volume['id']}/metadata", body)
        wanted = {"os-extend": {"new_size": size}}
        self._cinder.post(_named(instance_id), f"/volumes/{volume['id']}/action", wanted, version=_ONLINE)

    def _refusal(self, instance_id: str, volume: Json) -> base.CloudError:
        """Told once: whoever asks again has it tried again."""
        refusal = of_reason(_named(instance_id), f"it could not be extended.{self._reason(volume)}")
        self._forget(instance_id, volume)
        return refusal

    def _forget(self, instance_id: str, volume: Json) -> None:
        """That it was to be extended."""
        if _EXTEND in volume["metadata"]:
            self._cinder.delete(_named(instance_id), f"/volumes/{volume['id']}/metadata/{_EXTEND}")

    def _mend(self, volume: Json) -> None:
        self._reset(volume, "in-use" if volume["attachments"] else "available")

    def _reset(self, volume: Json, status: str) -> None:
        """An administrator's; who is none leaves it as it is."""
        try:
            self._cinder.post("Volume", f"/volumes/{volume['id']}/action", {"os-reset_status": {"status": status}})
        except base.CloudError:
            return

    def _reason(self, volume: Json) -> str:
        """What Cinder says of its last failure, where it does."""
        message = self._message(volume)
        return f" {message['user_message']}" if message else ""

    def _message(self, volume: Json) -> Json:
        """The newest of what failed; empty where Cinder tells nothing."""
        query = {"resource_uuid": volume["id"], "sort": "created_at:desc", "limit": 1}
        try:
            return next(self._cinder.list("Messages", "/messages", "messages", query, version=_MESSAGES), {})
        except base.Unavailable:
            raise  # what it says decides whether the volume is asked for anew
        except base.CloudError:
            return {}


def device(volume_id: str) -> str:
    """As which a server finds a volume on virtio-blk, whose disks have 20 characters for their number."""
    return f"/dev/disk/by-id/virtio-{volume_id[:20]}"


def _volume(volume: Json) -> base.Volume:
    return base.Volume(id=volume["id"], size=volume["size"], type=volume["volume_type"], device=device(volume["id"]))


def _named(instance_id: str) -> str:
    return f"Volume of instance {instance_id}"
