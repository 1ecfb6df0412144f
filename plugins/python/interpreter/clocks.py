"""Replaces the clocks by one that moves on a little whenever it is looked at,
and by what `time.sleep` is told. It starts at the same moment in each program,
so that what depends on the time is the same each time."""

import gc
import logging
import sys
import time

# 2024-01-01, in nanoseconds since the epoch.
START = 1_704_067_200 * 10**9
# Small beside what is measured; large enough that "go on for two seconds" ends soon.
TICK = 100_000

_passed = [0]


def reset():
    """To the moment at which programs start."""
    _passed[0] = 0


def _monotonic_ns():
    _passed[0] += TICK
    return _passed[0]


def _monotonic():
    return _monotonic_ns() / 10**9


def _time_ns():
    return START + _monotonic_ns()


def _time():
    return _time_ns() / 10**9


def _clock_gettime_ns(clock, /):
    return _time_ns() if clock == getattr(time, "CLOCK_REALTIME", 0) else _monotonic_ns()


def _clock_gettime(clock, /):
    return _clock_gettime_ns(clock) / 10**9


def _sleep(seconds, /):
    if seconds < 0:
        raise ValueError("sleep length must be non-negative")
    _passed[0] += int(seconds * 10**9)


def seal(replace, denied):
    replace(time, "time", _time)
    replace(time, "time_ns", _time_ns)
    for name in ("monotonic", "perf_counter", "process_time", "thread_time"):
        replace(time, name, _monotonic)
        replace(time, name + "_ns", _monotonic_ns)
    replace(time, "clock_gettime", _clock_gettime)
    replace(time, "clock_gettime_ns", _clock_gettime_ns)
    for name in ("clock_getres", "clock_settime", "clock_settime_ns", "get_clock_info"):
        replace(time, name, denied(f"time.{name}"))
    replace(time, "sleep", _sleep)
    for name in ("gmtime", "localtime", "ctime"):
        replace(time, name, _of_a_moment(getattr(time, name)))
    _seal_texts(replace)
    _seal_datetime()
    # It asks for the process's number, and has looked at the clock at import.
    logging.logProcesses = False
    logging._startTime = START


def _of_a_moment(function):
    """The function, told the present moment where it would ask for it."""

    def told(seconds=None, /):
        return function(_time() if seconds is None else seconds)

    told.__name__ = told.__qualname__ = function.__name__
    return told


def _seal_texts(replace):
    asctime, strftime = time.asctime, time.strftime
    localtime = time.localtime

    def told_asctime(moment=None, /):
        return asctime(localtime() if moment is None else moment)

    def told_strftime(format, moment=None, /):
        return strftime(format, localtime() if moment is None else moment)

    told_asctime.__name__ = told_asctime.__qualname__ = "asctime"
    told_strftime.__name__ = told_strftime.__qualname__ = "strftime"
    replace(time, "asctime", told_asctime)
    replace(time, "strftime", told_strftime)


def _seal_datetime():
    """Puts other class methods into the classes, which are the same ones then:
    a subclass would not be what their own arithmetic gives."""
    import datetime

    utc = datetime.timezone.utc

    def now(cls, tz=None):
        return cls.fromtimestamp(_time(), tz)

    def utcnow(cls):
        return cls.fromtimestamp(_time(), utc).replace(tzinfo=None)

    def today(cls):
        return cls.fromtimestamp(_time())

    for kind, methods in ((datetime.datetime, (now, utcnow, today)), (datetime.date, (today,))):
        # The dictionary behind the class's view of it, which is read-only.
        (names,) = [it for it in gc.get_referents(kind.__dict__) if type(it) is dict]
        for method in methods:
            method.__qualname__ = f"{kind.__name__}.{method.__name__}"
            names[method.__name__] = classmethod(method)
    # What was looked up in them before.
    sys._clear_type_cache()
