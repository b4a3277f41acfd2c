# SPDX-License-Identifier: Apache-2.0
"""Which certificates and authorities the leader renews, and when."""

import datetime
import pathlib
from collections.abc import Iterator
from typing import Any

import pytest
import sqlalchemy as sa
from cryptography.fernet import Fernet
from oslo_config import cfg

from conductor.certificates import KIND, CertificateKeeper
from dbflow import authorities, certificates
from dbflow import conf as options
from dbflow.authorities import Times
from dbflow.crypto import Keyring
from dbflow.db import tls
from dbflow.db.models import Authority, Base, Health, Instance, InstanceTls, Operation, utcnow
from dbflow.db.session import Database
from dbflow.operations import State
from dbflow.services.seed import ensure_datastore
from dbflow.status import Task
from flows import renew_certificate
from flows.registry import Ending

DAY = datetime.timedelta(days=1)


class Fleet:
    """Instances of project p with certificates, and their keeper."""

    def __init__(self, directory: pathlib.Path) -> None:
        self.database = Database(f"sqlite:///{directory}/state.sqlite")
        Base.metadata.create_all(self.database.engine)
        self.version = ensure_datastore(self.database, "mariadb", "10.11", "10.11.14", "mariadb", None)
        self.conf = options.register(cfg.ConfigOpts())
        self.conf([], default_config_files=[])
        self.keyring, self.times = Keyring([Fernet.generate_key()]), Times.from_conf(self.conf)

    def add(self, name: str, seen: datetime.datetime | None = None, **more: Any) -> None:
        """With a certificate of its own request."""
        common = {"project_id": "p", "user_id": "u", "datastore_version_id": self.version, "flavor_id": "1"}
        addresses = [{"address": "127.0.3.1", "type": "private"}]
        with self.database.write() as session:
            instance = Instance(id=name, name=name, addresses=addresses, **common, **more)
            session.add(instance)
            session.add(Health(instance_id=name, seen=seen or utcnow(), service_status="HEALTHY"))
            self.renew(session, instance)

    def renew(self, session: Any, instance: Instance) -> None:
        """As the operation does."""
        csr = certificates.request(certificates.new_key(), instance.id)
        made = authorities.issue(session, self.keyring, self.times, instance, csr)
        columns = {name: getattr(made, name) for name in ("certificate", "expires", "authority_id", "known")}
        tls.put(session, instance.id, **columns)

    def set(self, name: str, **columns: Any) -> None:
        with self.database.write() as session:
            tls.put(session, name, **columns)

    def kept(self) -> list[str]:
        """Who is being renewed after a round."""
        CertificateKeeper(self.conf, self.database, self.keyring).keep()
        with self.database.read() as session:
            running = sa.select(Operation.target_id).where(Operation.kind == KIND, Operation.state == State.ACCEPTED)
            return sorted(session.scalars(running))

    def finish(self) -> None:
        """All operations, an hour ago; with what they did."""
        with self.database.write() as session:
            for operation in session.scalars(sa.select(Operation).where(Operation.state == State.ACCEPTED)).all():
                instance = session.get_one(Instance, operation.target_id)
                operation.state, operation.finished = State.SUCCESS, utcnow() - datetime.timedelta(hours=1)
                instance.operation_id = None
                self.renew(session, instance)

    def authorities(self) -> list[Authority]:
        with self.database.read() as session:
            return list(authorities.of_project(session, "p"))

    def rotate(self, after: datetime.timedelta) -> None:
        with self.database.write() as session:
            authorities.rotate(session, self.keyring, self.times, "p", after)


@pytest.fixture
def fleet(tmp_path: pathlib.Path) -> Iterator[Fleet]:
    made = Fleet(tmp_path)
    yield made
    made.database.close()


def test_those_that_end_soon(fleet: Fleet) -> None:
    soon = utcnow() + 3 * DAY
    fleet.add("fresh")
    fleet.add("ending")
    fleet.add("busy", operation_id="x")
    fleet.add("gone", deleted=True)
    fleet.add("silent", seen=utcnow() - DAY)
    fleet.add("brought")
    for name in ("ending", "busy", "gone", "silent", "brought"):
        fleet.set(name, expires=soon)
    fleet.set("brought", mode="basic")
    assert fleet.kept() == ["ending"]
    assert fleet.kept() == ["ending"], "once"
    with fleet.database.read() as session:
        assert session.get_one(Instance, "ending").operation_id is not None
        assert session.get_one(Instance, "fresh").operation_id is None
    fleet.finish()
    assert fleet.kept() == []


def test_one_that_failed_is_tried_again_after_a_while(fleet: Fleet) -> None:
    fleet.add("ending")
    fleet.set("ending", expires=utcnow() + DAY)
    assert fleet.kept() == ["ending"]
    with fleet.database.write() as session:
        session.execute(sa.update(Operation).values(state=State.REVERTED, finished=utcnow()))
        session.execute(sa.update(Instance).values(operation_id=None))
    assert fleet.kept() == []
    with fleet.database.write() as session:
        session.execute(sa.update(Operation).values(finished=utcnow() - datetime.timedelta(hours=1)))
    assert fleet.kept() == ["ending"]


def test_a_new_authority_is_known_before_it_signs(fleet: Fleet) -> None:
    fleet.add("one")
    (old,) = fleet.authorities()
    fleet.rotate(DAY)
    fleet.rotate(DAY)
    new, same = fleet.authorities()
    assert (same.id, new.number) == (old.id, 2), "the one that waits is the next, however often it is asked for"
    assert fleet.kept() == ["one"]
    fleet.finish()
    with fleet.database.read() as session:
        assert session.get_one(InstanceTls, "one").authority_id == old.id
    assert fleet.kept() == [], "it knows the new one, and the old one signs"
    with fleet.database.write() as session:
        assert authorities.prune(session, "p") == 0
        session.execute(sa.update(Authority).where(Authority.id == new.id).values(signs_from=utcnow()))
    assert fleet.kept() == ["one"]
    with fleet.database.write() as session, pytest.raises(authorities.Changing):
        authorities.prune(session, "p")
    fleet.finish()
    with fleet.database.write() as session:
        assert session.get_one(InstanceTls, "one").authority_id == new.id
        assert authorities.prune(session, "p") == 1
    assert [one.id for one in fleet.authorities()] == [new.id]


def test_an_authority_is_followed_by_the_next_in_time(fleet: Fleet) -> None:
    fleet.add("one")
    assert fleet.kept() == []
    with fleet.database.write() as session:
        session.execute(sa.update(Authority).values(expires=utcnow() + fleet.times.certificate))
    fleet.kept()
    assert [one.number for one in fleet.authorities()] == [2, 1]
    fleet.kept()
    assert [one.number for one in fleet.authorities()] == [2, 1]


def signers(fleet: Fleet) -> dict[str, int]:
    """Name -> the number of the authority of its certificate."""
    numbers = {one.id: one.number for one in fleet.authorities()}
    with fleet.database.read() as session:
        return {row.instance_id: numbers[row.authority_id or ""] for row in session.scalars(sa.select(InstanceTls))}


def test_a_set_gets_certificates_that_all_of_it_believe(fleet: Fleet) -> None:
    """Also one of which a member is away for a while, or whose certificates end soon."""
    fleet.add("a-source")
    fleet.add("replica", replica_of_id="a-source")
    fleet.add("silent", replica_of_id="a-source", seen=utcnow() - DAY)
    fleet.set("a-source", expires=utcnow() + DAY)
    fleet.rotate(datetime.timedelta(0))
    assert fleet.kept() == ["a-source", "replica"]
    fleet.finish()
    assert signers(fleet) == {"a-source": 1, "replica": 1, "silent": 1}
    assert fleet.kept() == [], "there is one that would believe none of the new ones"
    with fleet.database.write() as session:
        session.get_one(Health, "silent").seen = utcnow()
    assert fleet.kept() == ["silent"]
    fleet.finish()
    assert signers(fleet) == {"a-source": 1, "replica": 1, "silent": 2}
    assert fleet.kept() == ["a-source", "replica"]
    fleet.finish()
    assert signers(fleet) == {"a-source": 2, "replica": 2, "silent": 2}
    assert fleet.kept() == []


def test_nobody_waits_until_the_old_authority_has_ended(fleet: Fleet) -> None:
    fleet.add("a-source")
    fleet.add("replica", replica_of_id="a-source", seen=utcnow() - DAY)
    fleet.rotate(datetime.timedelta(0))
    with fleet.database.write() as session:
        ending = utcnow() + fleet.times.certificate
        session.execute(sa.update(Authority).where(Authority.number == 1).values(expires=ending))
    assert fleet.kept() == ["a-source"]
    fleet.finish()
    assert signers(fleet)["a-source"] == 2


def test_one_that_fails_meanwhile_is_left_alone(fleet: Fleet) -> None:
    fleet.add("ending")
    fleet.set("ending", expires=utcnow() + DAY)
    keeper = CertificateKeeper(fleet.conf, fleet.database, fleet.keyring)
    with fleet.database.write() as session:
        session.get_one(Instance, "ending").task = Task.ERROR
    assert not keeper._renew("ending")


@pytest.mark.parametrize("days", [2, 20, 60, 88, 400])
def test_authorities_that_are_good_for_a_short_time(fleet: Fleet, days: int) -> None:
    """What they sign is never cut short, or it would be renewed again and again."""
    fleet.conf.set_override("authority_days", days, "tls")
    times = Times.from_conf(fleet.conf)
    next_signs = min(times.certificate + times.overlap, times.authority / 2) - times.overlap
    assert times.certificate <= next_signs
    assert times.renew_before <= times.certificate / 3


def test_after_a_theft_the_one_that_waits_does_not_sign(fleet: Fleet) -> None:
    fleet.add("one")
    fleet.rotate(DAY)
    fleet.rotate(datetime.timedelta(0))
    assert [one.number for one in fleet.authorities()] == [3, 2, 1]
    with fleet.database.read() as session:
        signer = authorities.signing(authorities.of_project(session, "p"))
        assert signer is not None
        assert signer.number == 3
    assert fleet.kept() == ["one"]
    with fleet.database.write() as session, pytest.raises(authorities.Changing):
        authorities.prune(session, "p")
    fleet.finish()
    with fleet.database.write() as session:
        assert authorities.prune(session, "p") == 2
    assert [one.number for one in fleet.authorities()] == [3]


@pytest.mark.parametrize("state", [State.REVERTED, State.FAILED])
def test_a_renewal_that_was_not_done_is_asked_for_again(fleet: Fleet, state: State) -> None:
    """Whatever its first step has recorded."""
    fleet.add("ending")
    fleet.set("ending", expires=utcnow() + DAY)
    assert fleet.kept() == ["ending"]
    hour_ago = utcnow() - datetime.timedelta(hours=1)
    with fleet.database.write() as session:
        operation = session.scalars(sa.select(Operation)).one()
        fleet.renew(session, session.get_one(Instance, "ending"))
        arguments = fleet.keyring.unseal(operation.arguments)
        renew_certificate.ended(session, Ending(operation.id, KIND, "ending", state, "no", arguments))
        operation.state, operation.finished = state, hour_ago
    with fleet.database.read() as session:
        row = session.get_one(InstanceTls, "ending")
        assert row.expires is not None
        assert row.expires < utcnow() + 2 * DAY
    assert fleet.kept() == ["ending"]


def test_all_authorities_have_expired(fleet: Fleet) -> None:
    fleet.add("one")
    with fleet.database.write() as session:
        session.execute(sa.update(Authority).values(expires=utcnow() - DAY))
    fleet.add("two")
    assert [one.number for one in fleet.authorities()] == [2]


def test_times_that_do_not_fit_each_other(fleet: Fleet) -> None:
    """A certificate that is shorter than the time before its end is not renewed again and again."""
    fleet.conf.set_override("certificate_days", 3, "tls")
    fleet.times = Times.from_conf(fleet.conf)
    fleet.add("one")
    assert fleet.kept() == []


def test_projects_have_nothing_to_do_with_each_other(fleet: Fleet) -> None:
    fleet.add("one")
    fleet.add("two")
    with fleet.database.write() as session:
        other = session.get_one(Instance, "two")
        other.project_id = "q"
        fleet.renew(session, other)
    with fleet.database.read() as session:
        mine, theirs = (session.get_one(InstanceTls, name).certificate or "" for name in ("one", "two"))
        (authority,) = authorities.of_project(session, "q")
    trusted = [certificates.load(authority.certificate)]
    assert len(certificates.chain(certificates.load(theirs), trusted)) == 2
    with pytest.raises(certificates.BadCertificate, match="is not among"):
        certificates.chain(certificates.load(mine), trusted)
    fleet.rotate(datetime.timedelta(0))
    assert fleet.kept() == ["one"]
