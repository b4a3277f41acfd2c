# SPDX-License-Identifier: Apache-2.0
"""Whether there are notifications: oslo.messaging's own option says so, and it need not be installed where none are.

Its options are read apart from ours, from the same files: it registers them itself, in words that change from one
release to the next, and oslo.config refuses the same option in two wordings.
"""

from oslo_config import cfg

GROUP = "oslo_messaging_notifications"
NOOP = "noop"


def apart(conf: cfg.ConfigOpts) -> cfg.ConfigOpts:
    """The same files, with no options registered."""
    own = cfg.ConfigOpts()
    own([], project="dbflow", default_config_files=conf.config_file or [], default_config_dirs=conf.config_dir or [])
    return own


def is_on(conf: cfg.ConfigOpts) -> bool:
    """Whether a driver is named that does something."""
    own = apart(conf)
    own.register_opt(cfg.MultiStrOpt("driver", default=[]), GROUP)
    return any(name != NOOP for name in own[GROUP].driver)
