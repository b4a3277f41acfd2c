# SPDX-License-Identifier: Apache-2.0
"""An object store for tests, with what goes wrong in one."""
