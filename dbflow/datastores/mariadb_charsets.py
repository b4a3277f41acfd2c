# SPDX-License-Identifier: Apache-2.0
"""Character sets of MariaDB 10.11 and their collations (a contract test compares them with the server's own list)."""

from collections.abc import Iterator, Mapping

_GENERAL = "bin general_ci general_nopad_ci nopad_bin"
_UNICODE = (
    "bin croatian_ci croatian_mysql561_ci czech_ci danish_ci esperanto_ci estonian_ci general_ci general_nopad_ci"
    " german2_ci hungarian_ci icelandic_ci latvian_ci lithuanian_ci myanmar_ci nopad_bin persian_ci polish_ci"
    " romanian_ci roman_ci sinhala_ci slovak_ci slovenian_ci spanish2_ci spanish_ci swedish_ci thai_520_w2 turkish_ci"
    " unicode_520_ci unicode_520_nopad_ci unicode_ci unicode_nopad_ci vietnamese_ci"
)
_BY_CHARSET = {
    "armscii8": _GENERAL,
    "ascii": _GENERAL,
    "big5": "bin chinese_ci chinese_nopad_ci nopad_bin",
    "cp1250": f"{_GENERAL} croatian_ci czech_cs polish_ci",
    "cp1251": f"{_GENERAL} bulgarian_ci general_cs ukrainian_ci",
    "cp1256": _GENERAL,
    "cp1257": f"{_GENERAL} lithuanian_ci",
    "cp850": _GENERAL,
    "cp852": _GENERAL,
    "cp866": _GENERAL,
    "cp932": "bin japanese_ci japanese_nopad_ci nopad_bin",
    "dec8": "bin nopad_bin swedish_ci swedish_nopad_ci",
    "eucjpms": "bin japanese_ci japanese_nopad_ci nopad_bin",
    "euckr": "bin korean_ci korean_nopad_ci nopad_bin",
    "gb2312": "bin chinese_ci chinese_nopad_ci nopad_bin",
    "gbk": "bin chinese_ci chinese_nopad_ci nopad_bin",
    "geostd8": _GENERAL,
    "greek": _GENERAL,
    "hebrew": _GENERAL,
    "hp8": "bin english_ci english_nopad_ci nopad_bin",
    "keybcs2": _GENERAL,
    "koi8r": _GENERAL,
    "koi8u": _GENERAL,
    "latin1": "bin danish_ci general_ci general_cs german1_ci german2_ci nopad_bin spanish_ci swedish_ci"
    " swedish_nopad_ci",
    "latin2": f"{_GENERAL} croatian_ci czech_cs hungarian_ci",
    "latin5": "bin nopad_bin turkish_ci turkish_nopad_ci",
    "latin7": f"{_GENERAL} estonian_cs general_cs",
    "macce": _GENERAL,
    "macroman": _GENERAL,
    "sjis": "bin japanese_ci japanese_nopad_ci nopad_bin",
    "swe7": "bin nopad_bin swedish_ci swedish_nopad_ci",
    "tis620": "bin nopad_bin thai_ci thai_nopad_ci",
    "ucs2": f"{_UNICODE} general_mysql500_ci",
    "ujis": "bin japanese_ci japanese_nopad_ci nopad_bin",
    "utf16": _UNICODE,
    "utf16le": _GENERAL,
    "utf32": _UNICODE,
    "utf8mb3": f"{_UNICODE} general_mysql500_ci",
    "utf8mb4": _UNICODE,
}
_UCA1400_CHARSETS = frozenset({"ucs2", "utf16", "utf32", "utf8mb3", "utf8mb4"})
_UCA1400_LANGUAGES = (
    "croatian czech danish esperanto estonian german2 hungarian icelandic latvian lithuanian persian polish roman"
    " romanian sinhala slovak slovenian spanish spanish2 swedish turkish vietnamese"
)


def _uca1400() -> Iterator[str]:
    for language in ("", *(f"_{name}" for name in _UCA1400_LANGUAGES.split())):
        for pad in ("", "_nopad"):
            for sensitivity in ("ai_ci", "ai_cs", "as_ci", "as_cs"):
                yield f"uca1400{language}{pad}_{sensitivity}"


def _charsets() -> Iterator[tuple[str, frozenset[str]]]:
    yield "binary", frozenset({"binary"})
    for charset, names in _BY_CHARSET.items():
        newer = list(_uca1400()) if charset in _UCA1400_CHARSETS else []
        yield charset, frozenset(f"{charset}_{name}" for name in [*names.split(), *newer])


CHARSETS: Mapping[str, frozenset[str]] = dict(_charsets())


def canonical(name: str) -> str:
    """The server's own spelling: lower case, and ``utf8`` (what old clients write) is ``utf8mb3``."""
    name = name.lower()
    if name == "utf8" or name.startswith("utf8_"):
        return f"utf8mb3{name.removeprefix('utf8')}"
    return name
