# SPDX-License-Identifier: Apache-2.0
"""From what a page looked at to HTML. Jinja escapes everything; the drawings escape for themselves."""

import datetime
import functools
import json
from typing import Any

from flask import Flask
from jinja2 import Environment
from markupsafe import Markup

from dbflow.console import looks, plots
from dbflow.console.page import Asked
from dbflow.console.timeline import timeline_svg
from dbflow.console.topology import topology
from dbflow.db.models import utcnow


def prepare(app: Flask) -> None:
    """Give the templates their functions."""
    environment: Environment = app.jinja_env
    environment.trim_blocks = environment.lstrip_blocks = True
    environment.filters |= {"short": short, "took": took, "pretty": pretty, "figure": plots.figure, "gib": gib}
    environment.globals |= {
        "clock": clock,
        "clock_text": clock_text,
        "of_operation": looks.of_operation,
        "of_step": looks.of_step,
        "of_instance": looks.of_instance,
        "of_backup": looks.of_backup,
        "meter": plots.meter,
        "history": plots.history,
        "topology": topology,
        "timeline_svg": timeline_svg,
    }


def parts(app: Flask, asked: Asked, context: dict[str, Any], *, live: bool) -> dict[str, Markup]:
    """Part -> HTML. ``live``: for a page that is open, whose script tells how long ago something was; a part must not
    change just because time goes by."""
    shared = {**context, "asked": asked, "at": asked.sight.at, "may": asked.sight.may, "sight": asked.sight}
    shared |= {"ago": functools.partial(ago, live=live)}
    return {
        name: Markup(app.jinja_env.get_template(f"console/{asked.page.name}_{name}.html").render(shared))  # nosec B704
        for name in asked.page.parts
    }


def short(identifier: str | None) -> str:
    """The first eight characters of an id: enough for people."""
    return (identifier or "")[:8]


def gib(size: float) -> str:
    """Such as "12.4 GiB", "3.1 MiB"."""
    return f"{plots.figure(size)} GiB" if size >= 0.1 else f"{plots.figure(size * 1024)} MiB"


def took(seconds: float | datetime.timedelta | None) -> str:
    """Such as "350 ms", "2.4 s", "3 min 5 s", "2 h 10 min", "3 d 4 h"."""
    if seconds is None:
        return ""
    if isinstance(seconds, datetime.timedelta):
        seconds = seconds.total_seconds()
    seconds = max(0.0, seconds)
    if seconds < 1:
        return f"{seconds * 1000:.0f} ms"
    if seconds < 59.95:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    for unit, size, small, part in (("d", 86400, "h", 3600), ("h", 3600, "min", 60), ("min", 60, "s", 1)):
        if whole >= size:
            rest = whole % size // part
            return f"{whole // size} {unit}" + (f" {rest} {small}" if rest else "")
    return f"{whole} s"


def as_time(value: datetime.datetime | str | None) -> datetime.datetime | None:
    """Rows have times, steps have them as text."""
    return datetime.datetime.fromisoformat(value) if isinstance(value, str) else value


def clock(value: datetime.datetime | str | None) -> Markup:
    """A time as a clock shows it, with the date unless it is today."""
    found = as_time(value)
    if found is None:
        return Markup('<span class="none">–</span>')
    return _time(found, clock_text(found), aging=False)


def clock_text(value: datetime.datetime) -> str:
    """The same where no markup may be."""
    form = "%H:%M:%S" if value.date() == utcnow().date() else "%Y-%m-%d %H:%M:%S"
    return f"{value:{form}}"


def ago(value: datetime.datetime | str | None, *, live: bool) -> Markup:
    """How long ago; the page's script keeps it true."""
    found = as_time(value)
    if found is None:
        return Markup('<span class="none">–</span>')
    if live:
        return _time(found, f"{found:%H:%M:%S}", aging=True)
    return _time(found, f"{coarse((utcnow() - found).total_seconds())} ago", aging=True)


def coarse(seconds: float) -> str:
    """As the page's script says it, too: one unit, no fractions."""
    seconds = max(0.0, seconds)
    for unit, size in (("d", 86400), ("h", 3600), ("min", 60)):
        if seconds >= 2 * size:
            return f"{int(seconds // size)} {unit}"
    return f"{int(seconds)} s"


def _time(value: datetime.datetime, text: str, *, aging: bool) -> Markup:
    stamp = value.isoformat(timespec="milliseconds")
    form = _AGING if aging else _FIXED
    return form.format(stamp, stamp.replace("T", " "), text)


_FIXED = Markup('<time datetime="{}Z" title="{} UTC">{}</time>')
_AGING = Markup('<time datetime="{}Z" title="{} UTC" data-ago>{}</time>')


def pretty(value: Any) -> str:
    """A masked value for a <pre>."""
    return value if isinstance(value, str) else json.dumps(value, indent=2, ensure_ascii=False, sort_keys=True)
