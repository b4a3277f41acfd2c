# SPDX-License-Identifier: Apache-2.0
"""Prepared data directories, made once for all stacks of a run."""

import contextlib
import pathlib
import shutil
import tempfile
from collections.abc import Iterator

from oslo_config import cfg

from dbflow import conf
from dbflow.cloud.local import LocalCloud


@contextlib.contextmanager
def prepared_images() -> Iterator[pathlib.Path]:
    """A directory with every image that can be built here."""
    base = pathlib.Path(tempfile.mkdtemp(prefix="dbflow-images-"))
    base.chmod(0o711)
    made = conf.register(cfg.ConfigOpts())
    made([], project="dbflow", default_config_files=[])
    made.set_override("state_dir", str(base / "cloud"), group="local_cloud")
    made.set_override("image_dir", str(base / "images"), group="local_cloud")
    assert LocalCloud(made).prepare() == ["mariadb"]
    yield base / "images"
    shutil.rmtree(base, ignore_errors=True)
