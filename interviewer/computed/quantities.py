"""Quantities in an answer: numbers with their units, in both languages, as candidates write them.

Read are thousands separators (1,234,567), scientific notation (1.2e9, 1.2×10^9, 10^21), powers (2^30), fractions (3/8),
percentages, bytes in decimal and binary units (GB, GiB), counts (7B, 70 million, 3.5 万, 1.2 亿), FLOPs, and times.
"""

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Literal

from interviewer.language import Span

Dimension = Literal["bytes", "count", "flops", "share", "seconds", "radians", "number"]
"""What is measured; "number" has no unit."""

_PREFIX = {"k": 1e3, "m": 1e6, "g": 1e9, "t": 1e12, "p": 1e15, "e": 1e18, "z": 1e21}
_BINARY = {"ki": 2.0**10, "mi": 2.0**20, "gi": 2.0**30, "ti": 2.0**40, "pi": 2.0**50}
_SCALES = {
    "thousand": 1e3, "million": 1e6, "billion": 1e9, "trillion": 1e12, "quadrillion": 1e15,
    "千": 1e3, "万": 1e4, "十万": 1e5, "百万": 1e6, "千万": 1e7, "亿": 1e8, "十亿": 1e9, "百亿": 1e10, "千亿": 1e11,
    "万亿": 1e12,
}  # fmt: skip
_DEGREE = math.pi / 180
UNITS: dict[Dimension, dict[str, float]] = {
    "bytes": {
        "b": 1, "byte": 1, "bytes": 1, "字节": 1, "bit": 1 / 8, "bits": 1 / 8, "比特": 1 / 8,
        **{f"{prefix}b": size for prefix, size in _PREFIX.items()},
        **{f"{prefix}b": size for prefix, size in _BINARY.items()},
    },
    "count": {"k": 1e3, "m": 1e6, "b": 1e9, "bn": 1e9, "t": 1e12},
    "flops": {
        "flop": 1, "flops": 1,
        **{f"{prefix}flop{s}": size for prefix, size in _PREFIX.items() for s in ("", "s")},
    },
    "share": {"%": 0.01, "percent": 0.01, "per cent": 0.01},
    "seconds": {
        "s": 1, "sec": 1, "second": 1, "seconds": 1, "秒": 1,
        "ms": 1e-3, "millisecond": 1e-3, "milliseconds": 1e-3, "毫秒": 1e-3,
        "us": 1e-6, "µs": 1e-6, "μs": 1e-6, "微秒": 1e-6,
        "min": 60, "minute": 60, "minutes": 60, "分钟": 60,
        "h": 3600, "hour": 3600, "hours": 3600, "小时": 3600, "day": 86400, "days": 86400, "天": 86400,
    },
    "radians": {
        "rad": 1, "radian": 1, "radians": 1, "弧度": 1,
        "°": _DEGREE, "degree": _DEGREE, "degrees": _DEGREE, "度": _DEGREE,
    },
    "number": {},
}  # fmt: skip
"""Units of each dimension, in lower case, with their size in its base unit."""
LOOSE = {"bytes": {"k": (1e3, 2.0**10), "m": (1e6, 2.0**20), "g": (1e9, 2.0**30), "t": (1e12, 2.0**40)}}
"""Short forms that may mean either of two sizes: "16G"."""
_NUMBER = r"\d{1,3}(?:[,，]\d{3})+(?:\.\d+)?|\d+(?:\.\d+)?|\.\d+"
_SUPER = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹⁻", "0123456789-")
QUANTITY = re.compile(
    rf"(?<![a-zA-Z0-9_.])(?P<sign>[-−]?)(?P<number>{_NUMBER})"
    r"(?:(?:e(?P<e>[-+]?\d+))|(?:\s*[×xX*·]\s*10\s*(?:\^|\*\*)?\s*\{?\(?(?P<ten>[-+−]?\d+|[⁻⁰¹²³⁴⁵⁶⁷⁸⁹]+)\)?\}?)"
    r"|(?:(?:\^|\*\*)\s*\{?\(?(?P<power>[-+−]?\d+)\)?\}?)|(?P<superpower>[⁻⁰¹²³⁴⁵⁶⁷⁸⁹]+)|(?:\s*/\s*(?P<over>\d+(?:\.\d+)?)))?",
    re.I,
)
_SCALE = re.compile(rf"\s*({'|'.join(sorted(_SCALES, key=len, reverse=True))})", re.I)
_OTHER = re.compile(
    r"[\s-]*(?:layers?|heads?|tokens?|dim|experts?|gpus?|cards?|sequences?|requests?|steps?|epochs?|bits?\b"
    r"|个|层|头|维|张|卡|专家|条|步|轮|位|路)",
    re.I,
)
MANY = 40
"""Numbers in an answer beyond which nobody can tell which one is meant."""


@dataclass(frozen=True, slots=True)
class Quantity:
    """A number of an answer, read in one dimension."""

    span: Span
    values: tuple[float, ...]
    """In the base unit; several when it may mean either."""
    has_unit: bool


def quantities(text: str, dimension: Dimension, *, default: float) -> list[Quantity]:
    """Return the quantities of a text that can be read in a dimension.

    A number without a unit is read in the unit that was asked for, which is `default` base units, or in base units; one
    that counts something else ("32 layers") is left out.
    """
    return [found for match in QUANTITY.finditer(text) if (found := _read(text, match, dimension, default))]


def near(found: Sequence[Quantity], expected: float, tolerance: float) -> Quantity | None:
    """Return the first quantity within a relative tolerance of a value, given in base units."""
    return next(
        (q for q in found if any(abs(value - expected) <= tolerance * abs(expected) for value in q.values)), None
    )


def _read(text: str, match: re.Match[str], dimension: Dimension, default: float) -> Quantity | None:
    number = float(re.sub("[,，]", "", match["number"]))
    if match["e"]:
        number *= 10.0 ** int(match["e"])
    elif match["ten"]:
        number *= 10.0 ** _integer(match["ten"])
    elif exponent := match["power"] or match["superpower"]:
        number = number ** _integer(exponent) if abs(_integer(exponent)) < 300 else 0.0
    elif match["over"]:
        number = number / float(match["over"]) if float(match["over"]) else 0.0
    if match["sign"]:
        number = -number
    end = match.end()
    scaled = _SCALE.match(text, end)
    # "16 billion" counts; in "16 b", b is a unit.
    if scaled:
        number *= _SCALES[scaled[1].lower()]
        end = scaled.end()
    unit = _unit(text, end, dimension)
    if unit:
        sizes, end = unit
        return _quantity(text, match.start(), end, tuple(number * size for size in sizes), has_unit=True)
    if _OTHER.match(text, end) and dimension not in ("count", "number"):
        return None
    values = (number,) if scaled or default == 1 else (number * default, number)
    return _quantity(text, match.start(), end, values, has_unit=bool(scaled))


def _quantity(text: str, start: int, end: int, values: tuple[float, ...], *, has_unit: bool) -> Quantity:
    return Quantity(span=Span(text[start:end], start, end), values=values, has_unit=has_unit)


def _integer(digits: str) -> int:
    return int(digits.translate(_SUPER).replace("−", "-"))


def _unit(text: str, at: int, dimension: Dimension) -> tuple[tuple[float, ...], int] | None:
    found = _pattern(dimension).match(text, at)
    if found is None:
        return None
    unit = found[1].lower()
    return LOOSE.get(dimension, {}).get(unit) or (UNITS[dimension][unit],), found.end()


@cache
def _pattern(dimension: Dimension) -> re.Pattern[str]:
    """Return what the units of a dimension look like behind a number, longest first."""
    units = sorted({*UNITS[dimension], *LOOSE.get(dimension, {})}, key=len, reverse=True)
    # Latin units end where the word ends.
    ends = [re.escape(unit) + (r"(?![a-zA-Z])" if unit.isascii() and unit.isalpha() else "") for unit in units]
    return re.compile(rf"\s*-?({'|'.join(ends) or '(?!)'})", re.I)


def size_of(unit: str) -> tuple[Dimension, float]:
    """Return the dimension of a unit and its size in base units; "" is a plain number.

    Raises:
        KeyError: there is no such unit.
    """
    if unit == "":
        return "number", 1.0
    if unit == "count":
        return "count", 1.0
    if unit.lower() in _SCALES:
        return "count", _SCALES[unit.lower()]
    for dimension, units in UNITS.items():
        if unit.lower() in units and dimension != "count":
            return dimension, units[unit.lower()]
    raise KeyError(unit)


def shown(value: float, unit: str) -> str:
    """Return a value, given in base units, as a reader wants it in a unit: "12.3 GB", "1,234", "7 billion"."""
    number = value / size_of(unit)[1]
    if unit == "%":
        return f"{_digits(number)}%"
    if unit in ("", "count"):
        return _digits(number)
    return f"{_digits(number)} {unit}"


def _digits(number: float) -> str:
    if number and (abs(number) >= 1e15 or abs(number) < 1e-4):
        return f"{number:.3g}"
    if float(number).is_integer():
        return f"{int(number):,}"
    for places, least in ((1, 100), (2, 10), (3, 1)):
        if abs(number) >= least:
            return f"{number:,.{places}f}".rstrip("0").rstrip(".")
    return f"{number:.4g}"
