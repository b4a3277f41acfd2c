# SPDX-License-Identifier: Apache-2.0
"""TLS of the server: what it shows its clients, whom it believes, whether it insists.

The file ``state`` says what must be, and is part of every start; the running server follows. It keeps what was before
the last change, too, so that this can be taken back. Before the control plane has given the server a certificate it
has one that it signed itself: whether there is TLS at all can't be changed without a restart.
"""

import dataclasses
import json
from typing import Any

from dbflow.tlsmode import ENFORCING, Mode
from guest.datastores import base
from guest.datastores.base import DatastoreError, Identity
from guest.datastores.mariadb import role
from guest.datastores.mariadb.certified import demanding, require_certificates, waive_certificates
from guest.datastores.mariadb.client import Client, Session
from guest.datastores.mariadb.layout import Layout, write
from guest.datastores.mariadb.quoting import literal
from guest.datastores.mariadb.role import Part
from guest.datastores.mariadb.server import Server


@dataclasses.dataclass(frozen=True)
class State:
    """Of one server."""

    mode: Mode
    certificate: str
    key: str = dataclasses.field(repr=False)
    authorities: str
    change: str = ""
    """Which change made it so; empty before the first."""
    undone: bool = False
    """Whether that change was taken back, and this is what was before it."""
    before: dict[str, Any] | None = dataclasses.field(default=None, repr=False)
    """What that change took away: a State without this field."""
    given: bool = False
    """Whether the control plane has given it the certificate."""
    demanding: tuple[tuple[str, str], ...] = ()
    """Of mode mtls: names and hosts of accounts that demanded a certificate before it."""


def load(layout: Layout) -> State | None:
    """None of a server that was never started by a dbflow that knows TLS."""
    try:
        kept: dict[str, Any] = json.loads(layout.tls_state.read_text())
    except FileNotFoundError:
        return None
    return _state(kept)


def options(layout: Layout) -> list[str]:
    """For the server's start."""
    state = load(layout) or _begin(layout)
    _write_files(layout, state)
    return [
        f"--ssl-cert={layout.tls_server}",
        f"--ssl-key={layout.tls_server}",
        f"--ssl-ca={layout.tls_authorities}",
        "--tls-version=TLSv1.2,TLSv1.3",
        f"--require-secure-transport={int(state.mode in ENFORCING)}",
    ]


def is_certified(layout: Layout) -> bool:
    """Whether the control plane has given it a certificate."""
    state = load(layout)
    return state is not None and state.given


def requires_certificates(layout: Layout) -> bool:
    """Whether every account needs one."""
    state = load(layout)
    return state is not None and state.mode is Mode.MTLS


class Tls(base.Tls):
    """See the base class."""

    def __init__(self, layout: Layout, client: Client, server: Server, lifecycle: base.Lifecycle) -> None:
        self._layout, self._client, self._server, self._lifecycle = layout, client, server, lifecycle

    def offered(self) -> bool:
        """See the base class."""
        with self._client.session() as session:
            return _offers(session)

    def certified(self) -> bool:
        """See the base class."""
        return is_certified(self._layout) and self.offered()

    def request(self) -> str:
        """See the base class."""
        from dbflow import certificates  # 30 ms that not every life of an agent needs

        pending = self._layout.tls_pending
        if not pending.exists():
            write(pending, certificates.new_key())
        return certificates.request(pending.read_text(), self._layout.machine.instance_id)

    def install(self, identity: Identity, change: str) -> None:
        """See the base class."""
        state = load(self._layout)
        if state is None or state.change != change:
            if not self.offered():
                raise DatastoreError("The database server was started without TLS: restart it first.")
            key = self._key(identity)
            state = _next(state, identity, key, change, self._demanding(state, identity))
            _save(self._layout, state)
        self._follow(state)
        self._layout.tls_pending.unlink(missing_ok=True)

    def undo(self, change: str) -> None:
        """See the base class."""
        state = load(self._layout)
        if state is None or state.change != change or state.before is None:
            return
        if not state.undone:
            state = _back(state)
            _save(self._layout, state)
        self._follow(state)

    def _key(self, identity: Identity) -> str:
        from dbflow import certificates

        try:
            key = identity.key or self._layout.tls_pending.read_text()
        except FileNotFoundError:
            raise DatastoreError("This machine has not asked for a certificate.") from None
        if not certificates.fits(identity.certificate, key):
            raise DatastoreError("The certificate is not of the key that this machine has made.")
        try:
            certificates.try_out(identity.certificate, key, identity.authorities)
        except certificates.BadCertificate as error:
            raise DatastoreError(str(error)) from None
        return key

    def _demanding(self, state: State | None, identity: Identity) -> tuple[tuple[str, str], ...]:
        """Replicas have the accounts of their source, and any of them may be the one that goes back."""
        if identity.mode != Mode.MTLS:
            return ()
        if state is not None and state.mode is Mode.MTLS:
            return state.demanding
        with self._client.session() as session:
            return demanding(session)

    def _follow(self, state: State) -> None:
        _write_files(self._layout, state)
        if self._server.process() is None and not self._asks_for_it(state):
            return
        if self._server.process() is None:
            self._lifecycle.resume()  # one that has died
        with self._client.session() as session:
            session.run("SET SESSION sql_log_bin = 0")
            session.run("FLUSH LOCAL SSL")
            enforcing = int(state.mode in ENFORCING)
            if role.load(self._layout).part is Part.REPLICA:
                _link(self._layout, session, state)
            else:
                # The accounts are the whole set's.
                session.run("SET SESSION sql_log_bin = 1")
                _align(session, state)
            session.run(f"SET GLOBAL require_secure_transport = {enforcing}")

    def _asks_for_it(self, state: State) -> bool:
        """Whether files are not all: accounts, and how a source is followed, are changed in a server that runs. One
        that is down after all is told of as such."""
        before = Mode(state.before["mode"]) if state.before is not None else Mode.BUILTIN
        replica = role.load(self._layout).part is Part.REPLICA
        return state.mode in ENFORCING if replica else Mode.MTLS in (state.mode, before)


def _offers(session: Session) -> bool:
    return session.rows("SELECT @@GLOBAL.have_ssl") == [("YES",)]


def _align(session: Session, state: State) -> None:
    if state.mode is Mode.MTLS:
        require_certificates(session)
    elif state.before is not None and state.before["mode"] == Mode.MTLS:
        waive_certificates(session, _state(state.before).demanding)


def _link(layout: Layout, session: Session, state: State) -> None:
    """A source that insists takes no replica without TLS, and one that was made before there was any has none. What was
    stopped for that, however it was left, is started."""
    channel = session.named("SHOW SLAVE STATUS")
    if not channel:
        return
    if state.mode in ENFORCING and channel[0]["Master_SSL_Allowed"] != "Yes":
        session.run("STOP SLAVE")
        session.run(f"CHANGE MASTER TO {link_to(str(layout.tls_trusted))}")
    session.run("START SLAVE")


def link_to(trusted: str | None) -> str:
    """Of CHANGE MASTER: how to follow a source whose certificate is of one of these authorities; None: without TLS. By
    which name the source is reached is nobody's to check: an owner's certificate need not have its address."""
    if trusted is None:
        return "MASTER_SSL = 0"
    return f"MASTER_SSL = 1, MASTER_SSL_CA = {literal(trusted)}, MASTER_SSL_VERIFY_SERVER_CERT = 0"


def _begin(layout: Layout) -> State:
    """A certificate that the machine signs itself."""
    from dbflow import certificates

    key, machine = certificates.new_key(), layout.machine
    certificate = certificates.self_signed(key, machine.instance_id, machine.address)
    state = State(Mode.BUILTIN, certificate, key, certificate)
    _save(layout, state)
    return state


def _next(
    state: State | None, identity: Identity, key: str, change: str, demanding: tuple[tuple[str, str], ...]
) -> State:
    return State(
        mode=Mode(identity.mode),
        certificate=identity.certificate,
        key=key,
        authorities=identity.authorities,
        change=change,
        before=_without_before(state) if state is not None else None,
        given=True,
        demanding=demanding,
    )


def _back(state: State) -> State:
    before = {**(state.before or {}), "change": state.change, "undone": True, "before": _without_before(state)}
    return _state(before)


def _state(kept: dict[str, Any]) -> State:
    """Of its form in JSON."""
    demanding = tuple((name, host) for name, host in kept["demanding"])
    return State(**{**kept, "mode": Mode(kept["mode"]), "demanding": demanding})


def _without_before(state: State) -> dict[str, Any]:
    return {name: value for name, value in dataclasses.asdict(state).items() if name != "before"}


def _save(layout: Layout, state: State) -> None:
    write(layout.tls_state, json.dumps(dataclasses.asdict(state)))


def _write_files(layout: Layout, state: State) -> None:
    """Certificate and key in one file, so that the server never reads one without the other. As a replica it believes
    the authorities of before, too: in a set that changes, its source may still have that certificate."""
    former = (state.before or {}).get("authorities", "")
    trusted = "".join(dict.fromkeys(f"{part.strip()}\n" for part in (state.authorities, former) if part))
    for path, text in (
        (layout.tls_server, state.key + state.certificate),
        (layout.tls_authorities, state.authorities),
        (layout.tls_trusted, trusted),
    ):
        if not path.exists() or path.read_text() != text:
            write(path, text, layout.owner)
