"""Values as literals, by their built-in base alone: what a class of the program
says about its own equality or looks does not count."""

import collections
import datetime
import decimal
import fractions

EXACT = frozenset((int, float, bool, str, bytes, type(None)))
_FLAT = frozenset((int, str))
_VIEWS = (type({}.keys()), type({}.items()))
DEPTH = 90


class Unplain(Exception):
    """The value is no plain data."""


def plain(value, depth=0):
    """The value as a literal that `MEANINGS` gives names their meaning in."""
    kind = type(value)
    if kind in EXACT:
        return repr(value)
    if depth > DEPTH:
        raise Unplain("nested too deeply")
    depth += 1
    if kind is list and len(value) > 8 and set(map(type, value)) <= _FLAT:
        return repr(value)
    if issubclass(kind, list):
        return "[" + ",".join([plain(item, depth) for item in list.__iter__(value)]) + "]"
    if issubclass(kind, tuple):
        return "(" + "".join([plain(item, depth) + "," for item in tuple.__iter__(value)]) + ")"
    if issubclass(kind, dict):
        pairs = [plain(key, depth) + ":" + plain(item, depth) for key, item in dict.items(value)]
        text = "{" + ",".join(pairs) + "}"
        for class_ in (collections.Counter, collections.OrderedDict, collections.defaultdict):
            if kind is class_:
                return kind.__name__ + "(" + text + ")"
        return text
    over = None
    if issubclass(kind, set):
        over = set.__iter__(value)
    elif issubclass(kind, frozenset):
        over = frozenset.__iter__(value)
    elif kind in _VIEWS:
        over = iter(value)
    if over is not None:
        name = "frozenset" if issubclass(kind, frozenset) else "set"
        return name + "([" + ",".join([plain(item, depth) for item in over]) + "])"
    if issubclass(kind, int):
        return int.__repr__(value)
    if issubclass(kind, float):
        return float.__repr__(value)
    if issubclass(kind, str):
        return repr(str.__str__(value))
    if issubclass(kind, bytes):
        return repr(bytes.__add__(b"", value))
    return _rarer(kind, value, depth)


def _rarer(kind, value, depth):
    if kind is bytearray:
        return "bytearray(" + repr(bytes(value)) + ")"
    if kind is complex:
        return "complex(" + repr(value.real) + "," + repr(value.imag) + ")"
    if kind is range:
        return f"range({value.start},{value.stop},{value.step})"
    if kind is collections.deque:
        return "deque([" + ",".join([plain(item, depth) for item in value]) + "])"
    if kind is fractions.Fraction:
        return f"Fraction({value.numerator!r},{value.denominator!r})"
    if kind is decimal.Decimal:
        return "Decimal(" + repr(str(value)) + ")"
    # Looked up each time, since one of them is replaced by a class without a clock.
    moments = (datetime.datetime, datetime.date, datetime.time, datetime.timedelta)
    if kind in moments and getattr(value, "tzinfo", None) is None:
        if kind is datetime.timedelta:
            parts = (value.days, value.seconds, value.microseconds)
        elif kind is datetime.time:
            parts = (value.hour, value.minute, value.second, value.microsecond)
        else:
            parts = (value.year, value.month, value.day)
            if kind is not datetime.date:
                parts += (value.hour, value.minute, value.second, value.microsecond)
        return kind.__name__ + "(" + ",".join(map(repr, parts)) + ")"
    raise Unplain(kind.__name__)


def _defaultdict(items):
    return collections.defaultdict(None, items)


def _datetime(*parts):
    return datetime.datetime(*parts)


MEANINGS = {
    "__builtins__": {},
    "inf": float("inf"),
    "nan": float("nan"),
    "set": set,
    "frozenset": frozenset,
    "bytearray": bytearray,
    "complex": complex,
    "range": range,
    "deque": collections.deque,
    "Counter": collections.Counter,
    "OrderedDict": collections.OrderedDict,
    "defaultdict": _defaultdict,
    "Fraction": fractions.Fraction,
    "Decimal": decimal.Decimal,
    "datetime": _datetime,
    "date": datetime.date,
    "time": datetime.time,
    "timedelta": datetime.timedelta,
}


def value_of(text):
    """What a literal means."""
    return eval(compile(text, "value", "eval"), dict(MEANINGS))
