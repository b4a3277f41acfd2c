# SPDX-License-Identifier: Apache-2.0
import dbflow  # noqa: F401 - before what others import
