# SPDX-License-Identifier: Apache-2.0
"""XML in and out, by the very schemas of the JSON: any JSON has a form in XML that is read back as the same JSON."""
