# SPDX-License-Identifier: Apache-2.0
"""Secrets in files on the machine of dbflow-api: ``file:NAME`` is ``<directory>/<project>/NAME``."""

import os
import pathlib
import re
import stat

from oslo_config import cfg

from dbflow.secretstore.base import LARGEST, NoSuchSecret, SecretError, SecretStore

_REFERENCE = re.compile(r"file:([A-Za-z0-9_-][A-Za-z0-9._-]{0,127})")
_PROJECT = re.compile(r"[A-Za-z0-9_-]{1,64}")


class FileSecrets(SecretStore):
    """As ``[secret_store] directory`` says. A project has what is in its own directory, and nothing else."""

    def __init__(self, conf: cfg.ConfigOpts) -> None:
        self._directory = pathlib.Path(conf.secret_store.directory)

    def read(self, reference: str, project_id: str, token: str) -> bytes:
        """See the base class. A file that others may read is refused, as is a link."""
        named = _REFERENCE.fullmatch(reference)
        if named is None or not _PROJECT.fullmatch(project_id):
            raise SecretError("it must be file:NAME, of letters, digits, dots, underscores and hyphens.")
        try:
            handle = os.open(self._directory / project_id / named[1], os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
        except OSError:
            raise NoSuchSecret("there is no such secret in this project.") from None
        with os.fdopen(handle, "rb") as file:
            found = os.fstat(handle)
            if not stat.S_ISREG(found.st_mode) or found.st_mode & 0o077:
                raise SecretError("the file is readable by others than its owner (its mode must be 0600).")
            return _whole(file.read(LARGEST + 1))


def _whole(data: bytes) -> bytes:
    if len(data) > LARGEST:
        raise SecretError(f"it has more than {LARGEST} bytes.")
    return data
