"""Runs tests that have to share an instance with the program they test.

They pass by the secret that is printed at the very end, which is a local of a
frame that the program has no way to: frames, tracebacks, the garbage collector
and the making of code are closed to it by an audit hook, which nothing can take
away. What the program did to builtins, modules or their classes is undone
before the tests see it, and what it returns reaches them as plain data. The
verdict goes to the runner past the streams, which the program may have replaced,
and nothing of the program's is let go before: no `__del__` has the last word.
"""

import builtins
import operator
import sys
from types import FunctionType, GeneratorType, ModuleType

import omni_check
import omni_values
import runner

_CLOSED = {
    "code.__new__",
    "gc.get_objects",
    "gc.get_referents",
    "gc.get_referrers",
    "marshal.load",
    "marshal.loads",
    "sys._current_exceptions",
    "sys._current_frames",
    "sys._getframe",
    "sys.addaudithook",
    "sys.monitoring.register_callback",
    "sys.setprofile",
    "sys.settrace",
}
_FRAMES = {"ag_code", "ag_frame", "cr_code", "cr_frame", "gi_code", "gi_frame", "tb_frame"}
_OF_FUNCTIONS = {"__closure__", "__code__", "__globals__"}
_FIXED = {"__code__", "__defaults__", "__kwdefaults__"}
_OURS = ("app", "clocks", "componentize_py", "omni_", "runner", "sealing", "snapshot", "wit_world")
_HEAP_TYPE = 1 << 9
_EXACT = omni_values.EXACT


def start(*arguments):
    """Runs with builtins and readers of values of its own, out of the program's sight."""
    own = dict(builtins.__dict__)
    values = dict(vars(omni_values), __builtins__=own)
    for name in ("plain", "_rarer"):
        function = values[name]
        values[name] = FunctionType(function.__code__, values, name, function.__defaults__)
    # The same for what calls the tests.
    calling = dict(vars(omni_check), __builtins__=own)
    for name in ("called", "_unittest"):
        calling[name] = FunctionType(calling[name].__code__, calling, name)
    names = dict(globals(), __builtins__=own, _plain=values["plain"], _called=calling["called"])
    FunctionType(run.__code__, names)(*arguments)


def run(secret, source, setup, preamble, entry, modules, *sources):
    finish = runner.Finished
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
            replaced = event == "object.__setattr__" and arguments[1] in _FIXED
            shut = replaced or event in _CLOSED
        if shut:
            raise RuntimeError(event + " is closed to programs under test")

    # The tests' own names: what the preamble defines comes from a run of it
    # that the program has no part in.
    tests = {"__name__": "tests", "__builtins__": own}
    if preamble:
        exec(compile(preamble, "preamble.py", "exec"), tests)
    given = set(tests) if entry else set()
    meanings = dict(omni_values.MEANINGS)
    compiled = [compile(test, "test.py", "exec", dont_inherit=True) for test in (setup, *sources)]
    module = ModuleType("program")
    sys.modules["program"] = module
    names = module.__dict__
    names["__builtins__"] = builtins.__dict__
    # What is put back after each call of the program's, and what at the end.
    tested = ([builtins.__dict__, own, sys.__dict__, sys.modules], [])
    ours = ([], [])
    modules = tuple(modules.split())
    for name in modules:
        try:
            __import__(name)
        except ImportError:
            pass
    inside = tuple([name + "." for name in modules])
    for name, module in list(sys.modules.items()):
        if name in modules or name.startswith(inside):
            dicts, classes = tested
        elif name.startswith(_OURS):
            dicts, classes = ours
        else:
            continue
        module = module.__dict__
        dicts.append(module)
        for value in module.values():
            if issubclass(type(value), type) and type_flags(value) & _HEAP_TYPE:
                classes.append((value, dict(value.__dict__)))
    tested, ours = [
        ([(module, dict(module)) for module in dicts], classes) for dicts, classes in (tested, ours)
    ]
    # Nothing that is put aside is let go, since a `__del__` would run then.
    removed = []
    allowed = set()
    for name in ("collections", "datetime", "decimal", "fractions", "functools", "itertools", "re"):
        found = vars(sys.modules[name]).values() if name in sys.modules else ()
        allowed.update([id(it) for it in found if issubclass(type(it), type)])

    def restore(kept=tested, len=len, all=all, map=map, same=operator.is_, dict=dict, type=type):
        for module, before in kept[0]:
            if len(module) != len(before) or not all(map(same, module.values(), before.values())):
                removed.append(dict(module))
                module.clear()
                module.update(before)
        for changed, before in kept[1]:
            now = changed.__dict__
            if len(now) == len(before) and all(map(same, now.values(), before.values())):
                continue
            now = dict(now)
            removed.append(now)
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
            return eval(_plain(value), dict(meanings))
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
        exec(compile(source, "solution.py", "exec", dont_inherit=True), names)
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
    setup, *compiled = compiled
    exec(setup, tests)
    passed = ""
    for test, source in zip(compiled, sources):
        try:
            exec(test, tests)
            _called(tests, source)
            passed += "1"
        except BaseException:
            passed += "0"
        restore()
    restore(ours)
    raise finish("\n" + secret + " " + passed + "\n", (names, tests, removed))
