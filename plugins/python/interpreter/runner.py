"""Runs one program as `__main__`, and says how it ended.

Plain Python, so that its tests need no component. What the program may do to
the interpreter does not matter: the instance is thrown away behind it.
"""

import io
import random
import sys
import types
from traceback import TracebackException

import clocks
import sealing

OUTPUT_BYTES = 1 << 20
REPORT_CHARS = 4000
RECURSION = 1000
_SHOWN = ("program.py", "solution.py", "setup.py", "test.py")


class Result:
    """`raised` is the traceback, `stopped` why it was ended; neither: it ended."""

    __slots__ = ("raised", "stderr", "stdout", "stopped")

    def __init__(self, raised, stopped, stdout, stderr):
        self.raised = raised
        self.stopped = stopped
        self.stdout = stdout
        self.stderr = stderr


class OutputLimit(BaseException):
    """Too much was written. No `Exception`, so that few programs catch it."""


class Finished(BaseException):
    """How tests that share the program's instance hand over what is to be
    printed; what must not be let go of before that comes with it."""

    def __init__(self, text, kept):
        self.text = text
        _kept.append(kept)


_kept = []


class Budget:
    """What standard output and error may still take, together."""

    __slots__ = ("exceeded", "left", "limit")

    def __init__(self, limit):
        self.limit = self.left = limit
        self.exceeded = False

    def spend(self, size):
        if size > self.left:
            self.exceeded = True
            raise OutputLimit(f"wrote more than {self.limit} bytes")
        self.left -= size


class Sink(io.RawIOBase):
    """Keeps what is written, within a budget."""

    def __init__(self, name, fd, budget):
        self.name = name
        self._fd = fd
        self._budget = budget
        self._kept = bytearray()

    def writable(self):
        return True

    def write(self, data):
        data = bytes(data)
        self._budget.spend(len(data))
        self._kept += data
        return len(data)

    def text(self):
        return self._kept.decode("utf-8", "replace")


class Source(io.BytesIO):
    """Standard input."""

    name = "<stdin>"


def run(source, stdin="", seed=0, output_bytes=OUTPUT_BYTES):
    """Runs `source`; everything it needs to be told comes as an argument."""
    budget = Budget(output_bytes)
    out, err = Sink("<stdout>", 1, budget), Sink("<stderr>", 2, budget)
    source_in = Source(stdin.encode("utf-8", "surrogatepass"))
    sys.stdin = sys.__stdin__ = io.TextIOWrapper(source_in, "utf-8", newline=None)
    # What a program has buffered when it is cut still counts, so the buffers are small.
    sys.stdout = sys.__stdout__ = text_out = _text(out, "strict")
    sys.stderr = sys.__stderr__ = text_err = _text(err, "backslashreplace")
    sealing.standard_streams(source_in, out, err)
    random.seed(seed)
    sealing.unseeded(seed)
    clocks.reset()
    sys.setrecursionlimit(RECURSION)
    sys.argv = ["program.py"]
    main = types.ModuleType("__main__")
    main.__dict__["__file__"] = "program.py"
    sys.modules["__main__"] = main
    raised = None
    try:
        try:
            exec(compile(source, "program.py", "exec", dont_inherit=True), main.__dict__)
        except Finished as finished:
            _kept.append(finished)
            return Result(None, None, finished.text, "")
        finally:
            if not _kept:
                _flush(text_out)
                _flush(text_err)
    except SystemExit as exit:
        raised = _exit_report(exit)
    except sealing.HardExit as exit:
        raised = None if exit.code == 0 else f"os._exit({exit.code})"
    except OutputLimit:
        pass
    except BaseException as error:
        raised = _report(error, source)
    stopped = None
    if budget.exceeded:
        stopped, raised = f"wrote more than {output_bytes} bytes", None
    return Result(raised, stopped, out.text(), err.text())


def _text(sink, errors):
    buffered = io.BufferedWriter(sink, 8192)
    return io.TextIOWrapper(buffered, "utf-8", errors, newline="\n")


def _flush(stream):
    try:
        stream.flush()
    except OutputLimit:
        raise
    except BaseException:
        # A stream that the program closed or detached has nothing left to say.
        pass


def _exit_report(exit):
    code = exit.code
    if code is None or code == 0:
        return None
    return f"SystemExit: {code!s:.200}"


def _report(error, source):
    """The traceback as CPython prints it, without the frames of this module."""
    try:
        sealing.show_source("program.py", source)
        trace = error.__traceback__
        while trace is not None and trace.tb_frame.f_code.co_filename not in _SHOWN:
            trace = trace.tb_next
        report = TracebackException(type(error), error, trace, limit=-12, compact=True)
        text = "".join(report.format()).rstrip("\n")
    except BaseException:
        # A program that breaks the reporting has still raised.
        text = f"{type(error).__name__} (its report cannot be written)"
    if len(text) > REPORT_CHARS:
        text = text[: REPORT_CHARS // 2] + "\n…\n" + text[-REPORT_CHARS // 2 :]
    return text.encode("utf-8", "backslashreplace").decode("utf-8")
