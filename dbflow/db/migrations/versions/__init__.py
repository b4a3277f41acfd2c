# SPDX-License-Identifier: Apache-2.0
"""The schema's versions (alembic)."""
