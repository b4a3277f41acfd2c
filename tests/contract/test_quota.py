# SPDX-License-Identifier: Apache-2.0
"""The quota on the databases it must hold on: at the limit one request wins, whatever it has read before."""

import threading

import sqlalchemy as sa
from oslo_config import cfg

from dbflow import quota
from dbflow.conf import register
from dbflow.db.models import Datastore, DatastoreVersion, Health, Instance, new_id
from dbflow.db.session import Database


def test_of_many_that_grow_at_once_only_those_that_fit_win(database: Database) -> None:
    conf = register(cfg.ConfigOpts())
    conf([], project="dbflow", default_config_files=[])
    version, ids = new_id(), [new_id() for _ in range(6)]
    with database.write() as session:
        session.add(Datastore(id=new_id(), name="d"))
        session.flush()
        store = session.scalars(sa.select(Datastore.id)).one()
        session.add(DatastoreVersion(id=version, datastore_id=store, name="1", version="1", manager="m"))
        session.flush()
        for instance_id in ids:
            session.add(
                Instance(
                    id=instance_id, name="i", project_id="p", user_id="u", datastore_version_id=version,
                    flavor_id="1", volume_size=1, quota_volume=1,
                )
            )  # fmt: skip
        quota.set_limits(session, "p", {"volumes": 6 + 3 * 4})
    ready, won = threading.Barrier(len(ids)), []

    def grow(instance_id: str) -> None:
        with database.write() as session:
            session.scalar(sa.select(Health.service_status).where(Health.instance_id == instance_id))
            if database.engine.dialect.name != "sqlite":  # there one transaction at a time writes
                ready.wait(60)
            try:
                quota.reserve(session, conf, "p", {"volumes": 4})
            except quota.QuotaExceeded:
                return
            session.execute(sa.update(Instance).where(Instance.id == instance_id).values(quota_volume=5))
        won.append(instance_id)

    threads = [threading.Thread(target=grow, args=(instance_id,)) for instance_id in ids]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert len(won) == 3
    with database.read() as session:
        assert quota.usage(session, "p")["volumes"] == 18
