"""Takes the clocks away: what asks for the time raises, what only wants to wait
or to stamp a message does without."""

import time


def seal(replace, denied):
    clocks = (
        "time time_ns perf_counter perf_counter_ns monotonic monotonic_ns process_time"
        " process_time_ns thread_time thread_time_ns clock_gettime clock_gettime_ns clock_getres"
        " clock_settime clock_settime_ns get_clock_info"
    ).split()
    for name in clocks:
        replace(time, name, denied(f"time.{name}"))
    replace(time, "sleep", _sleep)
    for name in ("gmtime", "localtime", "ctime", "asctime"):
        replace(time, name, _with_argument(getattr(time, name), denied(f"time.{name}")))
    _seal_datetime(replace, denied)
    _still_logging()


def _sleep(seconds, /):
    """There is no time to pass."""


def _with_argument(function, denied):
    """The function where it is told a moment, else what raises."""

    def checked(moment=None, /):
        return denied() if moment is None else function(moment)

    checked.__name__ = checked.__qualname__ = function.__name__
    return checked


def _seal_datetime(replace, denied):
    import datetime

    class sealed(datetime.datetime):
        now = classmethod(denied("datetime.now"))
        utcnow = classmethod(denied("datetime.utcnow"))
        today = classmethod(denied("datetime.today"))

        def __repr__(self):
            return "datetime." + super().__repr__()

    sealed.__name__ = sealed.__qualname__ = "datetime"
    sealed.__module__ = "datetime"
    replace(datetime, "datetime", sealed)


class _NoTime:
    """A clock that stands still, for what only stamps its messages."""

    gmtime = staticmethod(time.gmtime)
    localtime = staticmethod(time.localtime)
    strftime = staticmethod(time.strftime)
    time_ns = staticmethod(lambda: 0)
    # Last: from here on the name means this one.
    time = staticmethod(lambda: 0.0)


def _still_logging():
    import logging

    logging.time = _NoTime
    logging.logProcesses = False
    logging._startTime = 0
