# SPDX-License-Identifier: Apache-2.0
"""``import devcloud.daemons.threads`` first: eventlet's green threads in the place of the system's."""

import threading

import eventlet

eventlet.monkey_patch(os=False)

import __original_module_threading as original  # noqa: E402

# eventlet forgets this one: https://bugs.launchpad.net/bugs/1863021
original.current_thread.__globals__["_active"] = threading._active  # type: ignore[attr-defined]
