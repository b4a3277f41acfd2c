# SPDX-License-Identifier: Apache-2.0
"""The OpenStack to develop with, as far as it needs none of OpenStack."""
