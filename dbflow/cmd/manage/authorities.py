# SPDX-License-Identifier: Apache-2.0
"""ca show, rotate, prune"""

import argparse
import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Session

from dbflow import authorities, certificates
from dbflow.authorities import Changing, Times
from dbflow.cmd.manage.context import Context, ManageError
from dbflow.cmd.manage.verbs import Commands, Noun
from dbflow.db.models import Authority, Instance, InstanceTls, utcnow
from dbflow.tlsmode import Mode

Row = list[object]
_WAITS, _SIGNS, _RETIRED, _EXPIRED = "waits", "signs", "retired", "expired"


def register(commands: Commands, shared: argparse.ArgumentParser) -> None:
    """Add the sub-commands."""
    noun = Noun(commands, shared, "ca", "the authorities that issue the certificates of database servers")
    show = noun.verb("show", show_list, "the authorities of every project, or of one")
    show.add_argument("project", nargs="?")
    show.add_argument("--certificates", action="store_true", help="print those of the project for its clients, as PEM")
    rotate = noun.verb("rotate", renew, "make a project's next authority, and renew its certificates once it signs")
    rotate.add_argument("project", nargs="?", help="every project, when left out")
    rotate.add_argument("--now", action="store_true", help="without the time in which it is only made known")
    prune = noun.verb("prune", drop, "forget the authorities of which nothing is in use any more")
    prune.add_argument("project", nargs="?", help="every project, when left out")


def show_list(context: Context, arguments: argparse.Namespace) -> None:
    """No private key is shown."""
    if arguments.certificates:
        _print(context, arguments.project)
        return
    query = sa.select(Authority).order_by(Authority.project_id, Authority.number)
    if arguments.project:
        query = query.where(Authority.project_id == arguments.project)
    with context.read() as session:
        rows = [_row(session, one) for one in session.scalars(query).all()]
    context.table(["Project", "Number", "State", "Signs from", "Expires", "In use", "Id"], rows)


def _print(context: Context, project_id: str | None) -> None:
    if project_id is None:
        raise ManageError("--certificates needs a project")
    with context.read() as session:
        text = certificates.together(*(one.certificate for one in authorities.of_project(session, project_id)))
    print(text, end="")


def _row(session: Session, one: Authority) -> Row:
    signer = authorities.signing(authorities.of_project(session, one.project_id))
    state = _RETIRED
    if one.expires <= utcnow():
        state = _EXPIRED
    elif signer is not None and one.id == signer.id:
        state = _SIGNS
    elif one.signs_from > utcnow():
        state = _WAITS
    used = session.scalar(
        sa.select(sa.func.count())
        .select_from(InstanceTls)
        .join(Instance, Instance.id == InstanceTls.instance_id)
        .where(InstanceTls.authority_id == one.id, InstanceTls.mode == Mode.BUILTIN, Instance.deleted.is_(False))
    )
    return [one.project_id, one.number, state, one.signs_from, one.expires, used, one.id]


def renew(context: Context, arguments: argparse.Namespace) -> None:
    """The leader does the rest: first every server gets to know the new one, then it gets a certificate of it."""
    times = Times.from_conf(context.conf)
    after = datetime.timedelta(0) if arguments.now else times.overlap
    projects = _projects(context, arguments.project)
    for project_id in projects:
        with context.write() as session:
            authorities.rotate(session, context.keyring, times, project_id, after)
    context.record({"projects": len(projects), "signs_from": utcnow() + after})


def drop(context: Context, arguments: argparse.Namespace) -> None:
    """What was issued by them has been replaced: clients need not know them any more."""
    dropped = 0
    for project_id in _projects(context, arguments.project):
        try:
            with context.write() as session:
                dropped += authorities.prune(session, project_id)
        except Changing as error:
            raise ManageError(str(error)) from None
    context.record({"dropped": dropped})


def _projects(context: Context, wanted: str | None) -> list[str]:
    """Those that have an authority."""
    with context.read() as session:
        found = list(session.scalars(sa.select(Authority.project_id).distinct().order_by(Authority.project_id)))
    if wanted is not None and wanted not in found:
        raise ManageError(f"project {wanted} has no authority: its first instance makes it")
    return found if wanted is None else [wanted]
