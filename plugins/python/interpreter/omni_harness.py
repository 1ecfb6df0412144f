"""Runs a program and then its tests, for rewards that check programs.

It stands in the interpreter so that it is compiled once, in the snapshot; the
reward `code/code` sends it along for interpreters that lack it.

`calls`: the values of expressions are printed, each on a line that starts with
the mark. What they are compared with is not here at all.

`guarded`: arbitrary test code that shares this instance with the program. It
passes by the secret that is printed at the very end, which is a local of a
frame that the program has no way to: frames, tracebacks and the garbage
collector are closed to it by an audit hook, which nothing can take away. What
the program did to builtins, modules or their classes is undone before the tests
see it, and what it returns reaches them as plain data.
"""

import builtins
import operator
import sys
from types import FunctionType, GeneratorType, ModuleType

_EXACT = {int, float, bool, str, bytes, type(None)}
_VIEWS = (type({}.keys()), type({}.items()))
_CLOSED = {
    "gc.get_objects",
    "gc.get_referents",
    "gc.get_referrers",
    "sys._current_exceptions",
    "sys._current_frames",
    "sys._getframe",
    "sys.monitoring.register_callback",
    "sys.setprofile",
    "sys.settrace",
}
_FRAMES = {"ag_code", "ag_frame", "cr_code", "cr_frame", "gi_code", "gi_frame", "tb_frame"}
_OF_FUNCTIONS = {"__closure__", "__code__", "__globals__"}
_HEAP_TYPE = 1 << 9


def run(guarded, *arguments):
    """Starts one of the two with builtins of its own, out of the program's sight."""
    sys.modules["__main__"].__dict__.clear()
    names = dict(globals())
    names["__builtins__"] = dict(builtins.__dict__)
    for name in ("_plain", "_program"):
        names[name] = FunctionType(names[name].__code__, names, name, (0,))
    chosen = _guarded if guarded else _calls
    FunctionType(chosen.__code__, names)(*arguments)


def _program(_=0):
    """The module that the program runs as, with the usual builtins."""
    module = ModuleType("program")
    sys.modules["program"] = module
    module.__dict__["__builtins__"] = builtins.__dict__
    return module.__dict__


def _plain(value, depth=0):
    """The value as a literal, by its built-in base alone: what a class of the
    program says about its own equality or looks does not count."""
    kind = type(value)
    if kind in _EXACT:
        return repr(value)
    if depth > 100:
        raise RecursionError
    depth += 1
    if issubclass(kind, list):
        return "[" + ",".join([_plain(item, depth) for item in list.__iter__(value)]) + "]"
    if issubclass(kind, tuple):
        return "(" + "".join([_plain(item, depth) + "," for item in tuple.__iter__(value)]) + ")"
    if issubclass(kind, dict):
        pairs = [_plain(key, depth) + ":" + _plain(item, depth) for key, item in dict.items(value)]
        return "{" + ",".join(pairs) + "}"
    over = None
    if issubclass(kind, set):
        over = set.__iter__(value)
    elif issubclass(kind, frozenset):
        over = frozenset.__iter__(value)
    elif kind in _VIEWS:
        over = iter(value)
    if over is not None:
        return "set([" + ",".join([_plain(item, depth) for item in over]) + "])"
    if issubclass(kind, int):
        return int.__repr__(value)
    if issubclass(kind, float):
        return float.__repr__(value)
    if issubclass(kind, str):
        return repr(str.__str__(value))
    if issubclass(kind, bytes) or kind is bytearray:
        return repr(bytes.__add__(b"", value))
    raise TypeError(kind.__name__)


def _calls(mark, source, setup, bindings, calls):
    write, flush = sys.stdout.write, sys.stdout.flush
    names = _program()
    exec(compile(source, "solution.py", "exec"), names)
    if setup:
        exec(compile(setup, "setup.py", "exec"), names)
    for name, expression in bindings:
        names[name] = eval(compile(expression, "setup.py", "eval"), names)
    # Compiled together, which takes half the time; run one by one.
    together = ",".join(["lambda:(" + expression + "\n)" for expression in calls])
    calls = eval(compile("[" + together + "]", "test.py", "eval"), names)
    for index, call in enumerate(calls):
        try:
            text = _plain(call())
        except BaseException as error:
            text = "!" + type(error).__name__
        write("\n" + mark + " " + str(index) + " " + text + "\n")
    flush()


def _guarded(secret, source, setup, preamble, entry, modules, sources):
    write, flush = sys.stdout.write, sys.stdout.flush
    own = globals()["__builtins__"]
    type_flags = type.__dict__["__flags__"].__get__
    active = []

    def hook(event, arguments, of=getattr):
        if not active:
            return
        if event == "object.__getattr__":
            # Functions of the program and the library are open to it; those
            # of the tests and of this harness have builtins of their own.
            shut = arguments[1] in _FRAMES or (
                arguments[1] in _OF_FUNCTIONS
                and (
                    type(arguments[0]) is not FunctionType
                    or of(arguments[0], "__builtins__") is own
                )
            )
        else:
            replaced = event == "object.__setattr__" and arguments[1] == "__code__"
            shut = replaced or event in _CLOSED
        if shut:
            raise RuntimeError(event + " is closed to programs under test")

    # The tests' own names: what the preamble defines comes from a run of it
    # that the program has no part in.
    tests = {"__name__": "tests", "__builtins__": own}
    if preamble:
        exec(compile(preamble, "preamble.py", "exec"), tests)
    given = set(tests) if entry else set()
    names = _program()
    kept = [builtins.__dict__, own, sys.__dict__, sys.modules]
    classes = []
    for name in modules:
        try:
            module = __import__(name).__dict__
        except ImportError:
            continue
        kept.append(module)
        for value in module.values():
            if issubclass(type(value), type) and type_flags(value) & _HEAP_TYPE:
                classes.append((value, dict(value.__dict__)))
    kept = [(module, dict(module)) for module in kept]
    allowed = set()
    for name in ("collections", "datetime", "decimal", "fractions", "functools", "itertools", "re"):
        found = vars(sys.modules[name]).values() if name in sys.modules else ()
        allowed.update([id(it) for it in found if issubclass(type(it), type)])

    def restore(len=len, all=all, map=map, same=operator.is_, dict=dict, type=type):
        for module, before in kept:
            if len(module) != len(before) or not all(map(same, module.values(), before.values())):
                module.clear()
                module.update(before)
        for changed, before in classes:
            now = dict(changed.__dict__)
            for name in now:
                if name not in before:
                    type.__delattr__(changed, name)
            for name, value in before.items():
                if now.get(name) is not value:
                    type.__setattr__(changed, name, value)

    def foreign(base):
        """Whether a class is of the program's making. One that the preamble
        defines too must not have more methods than there."""
        if not type_flags(base) & _HEAP_TYPE or id(base) in allowed:
            return False
        name = str.__str__(base.__name__)
        known = tests.get(name) if name in given else None
        return known is None or not set(vars(base)) <= set(vars(known))

    def clean(value, depth=0):
        """Plain data for data; what else the program returns only if its
        class is not of the program's making."""
        kind = type(value)
        if kind in _EXACT:
            return value
        if depth > 100:
            raise RecursionError
        depth += 1
        if kind is list:
            return [clean(item, depth) for item in value]
        if kind is tuple:
            return tuple([clean(item, depth) for item in value])
        if kind is dict:
            return {clean(key, depth): clean(item, depth) for key, item in value.items()}
        if kind is set or kind is frozenset:
            return kind([clean(item, depth) for item in value])
        if kind is GeneratorType:
            return (clean(item, depth) for item in value)
        if issubclass(kind, (tuple, list, dict)):
            return eval(_plain(value), {})
        for base in type.mro(kind):
            if foreign(base):
                raise TypeError("an object of a class of the program's own")
        return value

    def guarded(value):
        if not callable(value):
            return clean(value)

        def call(*arguments, **named):
            try:
                result = value(*arguments, **named)
            finally:
                restore()
            return Instance(result) if issubclass(type(value), type) else clean(result)

        return call

    class Instance:
        """An object of a class of the program, known by what its methods return."""

        def __init__(self, value):
            object.__setattr__(self, "_held", lambda name: guarded(getattr(value, name)))

        def __getattr__(self, name):
            return self._held(name)

    sys.addaudithook(hook)
    active.append(True)
    try:
        exec(compile(source, "solution.py", "exec"), names)
    finally:
        restore()
    for name in list(names):
        if name in given or name in own or name[:2] == "__":
            continue
        try:
            tests[name] = guarded(names[name])
        except BaseException:
            pass
    if entry in names:
        tests[entry] = guarded(names[entry])
    exec(compile(setup, "setup.py", "exec"), tests)
    passed = ""
    for test in sources:
        try:
            exec(compile(test, "test.py", "exec"), tests)
            passed += "1"
        except BaseException:
            passed += "0"
        restore()
    write("\n" + secret + " " + passed + "\n")
    flush()
