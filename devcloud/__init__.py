# SPDX-License-Identifier: Apache-2.0
"""A real OpenStack on one machine, for tests and for developers: ``tools/devcloud up``.

Run by the system's own Python, since that is the one that finds Debian's OpenStack.
"""
