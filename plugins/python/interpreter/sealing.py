"""Seals CPython off: after this, nothing in it asks the system for anything.

In the component every WASI call traps, and a trap is a blunt report. So what
would lead to one is replaced by something that raises, or, where programs use
it innocently (a thread that runs `main`, standard input by its number), by
something that works.
"""

import builtins
import errno
import importlib
import io
import linecache
import os
import pkgutil
import random
import sys
import threading
from concurrent.futures import Future, ThreadPoolExecutor

import clocks

# Modules that do something at import, or are for machines that this is not.
_LEFT_OUT = {
    "__main__",
    "__phello__",
    "_android_support",
    "_apple_support",
    "_ios_support",
    "antigravity",
    "ensurepip",
    "idlelib",
    "lib2to3",
    "pip",
    "test",
    "this",
    "tkinter",
    "turtle",
    "turtledemo",
    "venv",
}

# Packages whose submodules programs import by name.
_DEEP = (
    "asyncio",
    "collections",
    "concurrent",
    "email",
    "encodings",
    "html",
    "http",
    "importlib",
    "json",
    "logging",
    "multiprocessing",
    "pathlib",
    "re",
    "string",
    "sysconfig",
    "tomllib",
    "unittest",
    "urllib",
    "xml",
    "zipfile",
    "zoneinfo",
)


class HardExit(BaseException):
    """What `os._exit` comes to."""

    def __init__(self, code):
        self.code = code


def preload():
    """Imports the whole standard library, since nothing can be imported later."""
    for name in sorted(sys.stdlib_module_names - _LEFT_OUT):
        _try_import(name)
    for package in _DEEP:
        module = sys.modules.get(package)
        for found in pkgutil.walk_packages(getattr(module, "__path__", ()), package + "."):
            if not found.name.endswith("__main__"):
                _try_import(found.name)
    _warm()


def _try_import(name):
    try:
        importlib.import_module(name)
    except (Exception, SystemExit):
        # Not every module is for this machine; a program that wants it gets
        # the usual ImportError.
        sys.modules.pop(name, None)


def _warm():
    """Does once what is slow the first time, so that the snapshot has it."""
    import ast
    import heapq
    import json
    import re

    ast.parse("def f(x):\n    return [y for y in x if y]\n")
    for pattern in (r"\d+", r"[a-zA-Z]+", r"\s+", r"\w+"):
        re.compile(pattern)
    json.loads(json.dumps({"a": [1, 2.5, None, True]}))
    heapq.heapify([3, 1, 2])
    f"{1.5:.2f} {10:>5} {'x'!r}"


def seal():
    """Replaces what would leave the sandbox."""
    replaced = {}

    def replace(module, name, new):
        old = getattr(module, name, None)
        if old is None:
            return
        setattr(module, name, new)
        try:
            replaced[id(old)] = (old, new)
        except TypeError:
            pass

    _seal_files(replace)
    clocks.seal(replace, _denied)
    _seal_randomness(replace)
    _seal_threads()
    _seal_imports()
    _seal_source_lines()
    builtins.exit = builtins.quit = _exit
    # Programs take it for a large number, and are written where it is this one.
    sys.maxsize = (1 << 63) - 1
    # What other modules took by `from … import`.
    for module in list(sys.modules.values()):
        for name, value in list(getattr(module, "__dict__", {}).items()):
            found = replaced.get(id(value))
            if found is not None and found[0] is value and module.__name__ != __name__:
                setattr(module, name, found[1])


def _exit(code=None):
    raise SystemExit(code)


def _denied(what):
    def denied(*_args, **_kwargs):
        raise PermissionError(errno.EPERM, f"{what} is not available in this sandbox")

    denied.__name__ = denied.__qualname__ = what
    return denied


# Files.

_streams = {}


def standard_streams(source, out, err):
    """The streams that the numbers 0, 1 and 2 stand for."""
    _streams.clear()
    _streams.update({0: source, 1: out, 2: err})


def _open(file, mode="r", *_args, **_kwargs):
    if type(file) is str and file == "/dev/stdin":
        file = 0
    stream = _streams.get(file) if type(file) is int else None
    if stream is None:
        raise PermissionError(errno.EPERM, "there are no files in this sandbox", str(file))
    if file == 0:
        return stream if "b" in mode else io.TextIOWrapper(stream, "utf-8")
    return stream if "b" in mode else io.TextIOWrapper(stream, "utf-8", write_through=True)


def _os_read(fd, size, /):
    if fd == 0 and 0 in _streams:
        return _streams[0].read(size)
    raise PermissionError(errno.EPERM, "there are no files in this sandbox")


def _os_write(fd, data, /):
    if fd in (1, 2) and fd in _streams:
        (sys.stdout if fd == 1 else sys.stderr).flush()
        return _streams[fd].write(data)
    raise PermissionError(errno.EPERM, "there are no files in this sandbox")


def _os_fstat(fd, /):
    if fd == 0 and 0 in _streams:
        size = len(_streams[0].getbuffer())
        return os.stat_result((0o100400, 0, 0, 1, 0, 0, size, 0, 0, 0))
    raise PermissionError(errno.EPERM, "there are no files in this sandbox")


_OS = (
    "abort access chdir chmod chown close closerange copy_file_range dup dup2 execv execve"
    " fchdir fchmod fchmodat fchown fdatasync fdopen fork forkpty fpathconf fstatvfs fsync ftruncate"
    " futimens get_terminal_size getgroups getlogin getpid getppid"
    " getrusage isatty kill lchmod lchown link listdir lockf lseek lstat major makedev"
    " minor mkdir mkfifo mknod open openpty pathconf pipe pipe2 popen posix_fadvise posix_fallocate"
    " posix_spawn pread preadv putenv pwrite pwritev readlink readv remove rename replace rmdir"
    " scandir sched_yield sendfile set_blocking get_blocking set_inheritable get_inheritable setsid"
    " stat statvfs symlink sync sysconf system tcgetpgrp times truncate ttyname umask uname unlink"
    " unsetenv utime utimensat wait waitpid writev"
).split()


def _seal_files(replace):
    os.environ.clear()
    native = sys.modules.get("posix") or os
    for name in _OS:
        for module in (os, native):
            replace(module, name, _denied(f"os.{name}"))
    for module in (os, native):
        replace(module, "read", _os_read)
        replace(module, "write", _os_write)
        replace(module, "fstat", _os_fstat)
        replace(module, "_exit", _hard_exit)
        replace(module, "isatty", _no)
        replace(module, "getcwd", _root)
        replace(module, "getcwdb", _root_bytes)
        replace(module, "cpu_count", _one)
    for module in (builtins, io, sys.modules["_io"]):
        replace(module, "open", _open)
        replace(module, "open_code", _denied("open_code"))
    for module in (io, sys.modules["_io"]):
        replace(module, "FileIO", _denied("io.FileIO"))
    for name in ("_socket", "socket"):
        module = sys.modules.get(name)
        for function in ("socket", "getaddrinfo", "gethostbyname", "create_connection"):
            if module is not None:
                replace(module, function, _denied(f"socket.{function}"))


def _hard_exit(status=0, /):
    raise HardExit(status)


def _no(*_args):
    return False


def _root():
    return "/"


def _root_bytes():
    return b"/"


def _one():
    return 1


# Randomness.

_unseeded = [0]


def unseeded(seed):
    """Where generators that were given no seed get theirs."""
    _unseeded[0] = seed


def _next_seed():
    _unseeded[0] = (_unseeded[0] * 6364136223846793005 + 1442695040888963407) % (1 << 64)
    return _unseeded[0] >> 16


def _random_bytes(size, /, _flags=0):
    if size < 0:
        raise ValueError("negative argument not allowed")
    words = [(_next_seed() >> 16).to_bytes(4, "little") for _ in range((size + 3) // 4)]
    return b"".join(words)[:size]


def _seal_randomness(replace):
    for module in (os, sys.modules.get("posix") or os):
        for name in ("urandom", "getrandom", "getentropy"):
            replace(module, name, _random_bytes)
    class_ = random.Random
    seed_with = class_.seed
    native_new = sys.modules["_random"].Random.__new__

    def __new__(cls, *_args, **_kwargs):
        return native_new(cls, 0)

    def seed(self, a=None, version=2):
        seed_with(self, _next_seed() if a is None else a, version)

    class_.__new__ = __new__
    class_.seed = seed
    random.seed = random._inst.seed


# Threads: there is one. A started thread runs to its end at once, which is
# what programs that start `main` with a larger stack mean.


def _seal_threads():
    def start(self):
        if getattr(self, "_omni_ran", False):
            raise RuntimeError("threads can only be started once")
        self._omni_ran = True
        try:
            self.run()
        except SystemExit:
            pass

    def join(self, timeout=None):
        if not getattr(self, "_omni_ran", False):
            raise RuntimeError("cannot join thread before it is started")

    threading.Thread.start = start
    threading.Thread.join = join
    threading.Thread.is_alive = lambda self: False
    threading.stack_size = lambda size=0, /: 0

    def submit(self, function, /, *arguments, **named):
        if self._shutdown:
            raise RuntimeError("cannot schedule new futures after shutdown")
        future = Future()
        future.set_running_or_notify_cancel()
        try:
            future.set_result(function(*arguments, **named))
        except Exception as error:
            future.set_exception(error)
        return future

    ThreadPoolExecutor.submit = submit


# Imports: what was not loaded by now does not exist.


def _seal_imports():
    sys.path[:] = []
    sys.path_hooks[:] = []
    sys.path_importer_cache.clear()
    keep = ("BuiltinImporter", "FrozenImporter")
    sys.meta_path[:] = [it for it in sys.meta_path if getattr(it, "__name__", "") in keep]
    sys.dont_write_bytecode = True


# Lines of source, which tracebacks and warnings look up in files.

_lines = {}


def show_source(name, source):
    """Lets tracebacks show a program's lines. Called when it is over, so that
    a program cannot read what else its source holds."""
    _lines[name] = source.splitlines(keepends=True)


def _seal_source_lines():
    def getlines(filename, module_globals=None):
        return _lines.get(filename, [])

    def getline(filename, lineno, module_globals=None):
        lines = _lines.get(filename, [])
        return lines[lineno - 1] if 1 <= lineno <= len(lines) else ""

    linecache.getlines = linecache.updatecache = getlines
    linecache.getline = getline
    linecache.checkcache = lambda filename=None: None
    linecache.lazycache = lambda filename, module_globals: False
    if hasattr(linecache, "_getline_from_code"):
        linecache._getline_from_code = lambda code, lineno: ""
    if hasattr(linecache, "_getlines_from_code"):
        linecache._getlines_from_code = lambda code: []
    linecache.cache.clear()
