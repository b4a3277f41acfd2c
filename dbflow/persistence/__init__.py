# SPDX-License-Identifier: Apache-2.0
"""Flows in SQL: TaskFlow's tables, written lean, fenced and sealed."""
