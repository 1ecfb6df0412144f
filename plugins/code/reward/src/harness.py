# Runs a program and then its tests. The host's side fills in what stands in
# ANGLES below; this text is the `source` of one execution.
#
# Calls: the values of expressions are printed, each on a line that starts with
# the mark. What they are compared with is not here.
#
# Guarded tests: arbitrary code that shares this instance with the program. They
# pass by the secret that is printed at the very end, which is a constant of a
# function that the program has no way to: frames, tracebacks and the garbage
# collector are closed to it by an audit hook, which nothing can take away. What
# the program did to builtins or modules is undone before the tests see it, and
# what it returns reaches them as plain data.


def _omni():
    import builtins
    import sys
    from types import FunctionType, GeneratorType, ModuleType

    write, flush = sys.stdout.write, sys.stdout.flush
    compile_, exec_, eval_, repr_, type_ = compile, exec, eval, repr, type
    issubclass_, len_, enumerate_, vars_ = issubclass, len, enumerate, vars
    BaseException_, RecursionError_, TypeError_ = BaseException, RecursionError, TypeError
    int_repr, float_repr = int.__repr__, float.__repr__
    str_new, bytes_new, list_iter = str.__str__, bytes.__add__, list.__iter__
    tuple_iter, set_iter, frozen_iter = tuple.__iter__, set.__iter__, frozenset.__iter__
    dict_items, join, type_mro = dict.items, str.join, type.mro
    exact = {int, float, bool, str, bytes, type_(None)}
    views = (type_({}.keys()), type_({}.items()))
    list_, tuple_, set_, frozen_, dict_ = list, tuple, set, frozenset, dict
    int_, float_, str_, bytes_, bytearray_ = int, float, str, bytes, bytearray

    def plain(value, depth=0):
        """The value as a literal, by its built-in base alone: what a class of
        the program says about its own equality or looks does not count."""
        kind = type_(value)
        if kind in exact:
            return repr_(value)
        if depth > 100:
            raise RecursionError_
        depth += 1
        if issubclass_(kind, list_):
            return "[" + join(",", [plain(item, depth) for item in list_iter(value)]) + "]"
        if issubclass_(kind, tuple_):
            return "(" + join("", [plain(item, depth) + "," for item in tuple_iter(value)]) + ")"
        if issubclass_(kind, dict_):
            items = [
                plain(key, depth) + ":" + plain(item, depth) for key, item in dict_items(value)
            ]
            return "{" + join(",", items) + "}"
        if issubclass_(kind, set_) or issubclass_(kind, frozen_) or kind in views:
            over = set_iter if issubclass_(kind, set_) else frozen_iter
            items = [item for item in (value if kind in views else over(value))]
            return "set([" + join(",", [plain(item, depth) for item in items]) + "])"
        if issubclass_(kind, int_):
            return int_repr(value)
        if issubclass_(kind, float_):
            return float_repr(value)
        if issubclass_(kind, str_):
            return repr_(str_new(value))
        if issubclass_(kind, bytes_) or kind is bytearray_:
            return repr_(bytes_new(b"", value))
        raise TypeError_(kind.__name__)

    program = ModuleType("program")
    sys.modules["program"] = program
    names = program.__dict__
    # Not those of this function, which `exec` would give it.
    names["__builtins__"] = builtins.__dict__

    calls = <CALLS>
    if not <GUARDED>:
        exec_(compile_(<PROGRAM>, "solution.py", "exec"), names)
        exec_(compile_(<SETUP>, "setup.py", "exec"), names)
        for name, source in <BINDINGS>:
            names[name] = eval_(compile_(source, "setup.py", "eval"), names)
        for index, source in enumerate_(calls):
            try:
                text = plain(eval_(compile_(source, "test.py", "eval"), names))
            except BaseException_ as error:
                text = "!" + type_(error).__name__
            write("\n<MARK> " + int_repr(index) + " " + text + "\n")
        flush()
        return

    closed = {
        "sys._getframe",
        "sys._current_frames",
        "sys._current_exceptions",
        "sys.settrace",
        "sys.setprofile",
        "sys.monitoring.register_callback",
        "gc.get_objects",
        "gc.get_referrers",
        "gc.get_referents",
    }
    inner = {"tb_frame", "gi_frame", "cr_frame", "ag_frame", "gi_code", "cr_code", "ag_code"}
    of_functions = {"__code__", "__closure__", "__globals__"}
    RuntimeError_, callable_, getattr_, all_, map_ = RuntimeError, callable, getattr, all, map
    id_, is_ = id, __import__("operator").is_
    flags = type_.__dict__["__flags__"].__get__
    guard = []

    own = globals()["__builtins__"]

    def hook(event, arguments):
        if not guard:
            return
        if event == "object.__getattr__":
            # Functions of the program and the library are open to it; those
            # of the tests and of this harness have builtins of their own.
            shut = arguments[1] in inner or (
                arguments[1] in of_functions
                and (
                    type_(arguments[0]) is not FunctionType
                    or getattr_(arguments[0], "__builtins__") is own
                )
            )
        else:
            replaced = event == "object.__setattr__" and arguments[1] == "__code__"
            shut = replaced or event in closed
        if shut:
            raise RuntimeError_(event + " is closed to programs under test")

    # The tests' own names: builtins that the program cannot reach, what the
    # preamble defines, the modules that the tests import.
    tests = {"__name__": "tests", "__builtins__": own}
    exec_(compile_(<PREAMBLE>, "preamble.py", "exec"), tests)
    entry = <ENTRY>
    given = set_(tests) if entry else set_()
    kept = [builtins.__dict__, sys.__dict__, sys.modules]
    classes = []
    for name in <MODULES>:
        try:
            module = __import__(name).__dict__
        except ImportError:
            continue
        kept.append(module)
        for value in module.values():
            if issubclass_(type_(value), type_) and flags(value) & 512:
                classes.append((value, dict_(value.__dict__)))
    kept = [(module, dict_(module)) for module in kept]
    library = ("collections", "datetime", "decimal", "fractions", "functools", "itertools", "re")
    allowed = set_()
    for name in library:
        found = dict_.values(sys.modules[name].__dict__)
        allowed.update([id_(it) for it in found if issubclass_(type_(it), type_)])

    def restore():
        for module, before in kept:
            same = len_(module) == len_(before)
            if not (same and all_(map_(is_, module.values(), before.values()))):
                module.clear()
                module.update(before)
        for changed, before in classes:
            now = dict_(changed.__dict__)
            for name in now:
                if name not in before:
                    type_.__delattr__(changed, name)
            for name, value in before.items():
                if now.get(name) is not value:
                    type_.__setattr__(changed, name, value)

    def foreign(base):
        """Whether a class is of the program's making. One that the preamble
        defines too must not have more methods than there."""
        if not flags(base) & 512 or id_(base) in allowed:
            return False
        known = tests.get(str_new(base.__name__)) if base.__name__ in given else None
        return known is None or not set_(vars_(base)) <= set_(vars_(known))

    def clean(value, depth=0):
        """Plain data for data; what else the program returns only if its
        class is not of the program's making."""
        kind = type_(value)
        if kind in exact:
            return value
        if depth > 100:
            raise RecursionError_
        depth += 1
        if kind is list_:
            return [clean(item, depth) for item in list_iter(value)]
        if kind is tuple_:
            return tuple_([clean(item, depth) for item in tuple_iter(value)])
        if kind is dict_:
            return {clean(key, depth): clean(item, depth) for key, item in dict_items(value)}
        if kind is set_ or kind is frozen_:
            return kind([clean(item, depth) for item in value])
        if kind is GeneratorType:
            return (clean(item, depth) for item in value)
        if issubclass_(kind, tuple_) or issubclass_(kind, list_) or issubclass_(kind, dict_):
            return eval_(plain(value), {})
        for base in type_mro(kind):
            if foreign(base):
                raise TypeError_("an object of a class of the program's own")
        return value

    def guarded(value):
        if not callable_(value):
            return clean(value)

        def call(*arguments, **named):
            try:
                result = value(*arguments, **named)
                if issubclass_(type_(value), type_):
                    return Instance(result)
                return clean(result)
            finally:
                restore()

        return call

    class Instance:
        """An object of a class of the program, known by what its methods return."""

        def __init__(self, value):
            held = lambda name: guarded(getattr_(value, name))
            object.__setattr__(self, "_held", held)

        def __getattr__(self, name):
            return self._held(name)

    sys.addaudithook(hook)
    guard.append(True)
    exec_(compile_(<PROGRAM>, "solution.py", "exec"), names)
    restore()
    for name in list_(names):
        if name in given or name in own or name[:2] == "__":
            continue
        try:
            tests[name] = guarded(names[name])
        except BaseException_:
            pass
    if entry in names:
        tests[entry] = guarded(names[entry])
    exec_(compile_(<SETUP>, "setup.py", "exec"), tests)
    passed = ""
    for source in <GUARDED>:
        try:
            exec_(compile_(source, "test.py", "exec"), tests)
            passed += "1"
        except BaseException_:
            passed += "0"
        restore()
    write("\n<SECRET> " + passed + "\n")
    flush()


def _start():
    """Runs it with builtins of its own, and out of the program's sight."""
    import builtins

    names = {"__builtins__": dict(builtins.__dict__), "__name__": "harness"}
    run = type(_start)(_omni.__code__, names)
    globals().clear()
    run()


_start()
