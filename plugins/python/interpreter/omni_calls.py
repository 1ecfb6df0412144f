"""Runs a program and calls what it defines. Nothing here is secret: the values
that are right are elsewhere, and what is printed here is only believed so far."""

import builtins
import copy
import itertools
import operator
import sys
from types import GeneratorType, ModuleType

from omni_values import MEANINGS, Unplain, plain

# Of what a generator gives, as much is taken at once.
_AHEAD = 1000


def program(source):
    """Runs the program as a module of its own; its names."""
    module = ModuleType("program")
    sys.modules["program"] = module
    names = module.__dict__
    names["__builtins__"] = builtins.__dict__
    try:
        exec(compile(source, "solution.py", "exec", dont_inherit=True), names)
    except BaseException:
        sealing = sys.modules.get("sealing")
        if sealing is not None:
            # For the traceback.
            sealing.show_source("solution.py", source)
        raise
    return names


def calls(mark, source, setup, parameter, entry, *calls):
    write, flush = sys.stdout.write, sys.stdout.flush
    names = program(source)
    if setup:
        exec(compile(setup, "setup.py", "exec", dont_inherit=True), names)
    if parameter:
        names[parameter] = eval(compile(entry, "setup.py", "eval"), names)
    # Compiled together, which takes half the time; run one by one.
    together = ",".join(["lambda:(" + expression + "\n)" for expression in calls])
    calls = eval(compile("[" + together + "]", "test.py", "eval", dont_inherit=True), names)
    for index, call in enumerate(calls):
        try:
            text = _value(call())
        except BaseException as error:
            text = "!" + type(error).__name__
        write("\n" + mark + " " + str(index) + " " + text + "\n")
    flush()


def _value(value):
    try:
        return plain(value)
    except Unplain:
        return "?" + str(bool(value))


def operate(mark, source, *operations):
    write, flush = sys.stdout.write, sys.stdout.flush
    names = program(source)
    results = []
    together = ",".join(["lambda h:(" + operation + ")" for operation in operations])
    meanings = dict(MEANINGS)
    operations = eval(compile("[" + together + "]", "test.py", "eval"), meanings)
    for index, operation in enumerate(operations):
        result, changed = None, {}
        try:
            what, target, arguments, named = operation(results)
            before = _changeable(arguments, named)
            if what == "name":
                if target not in names:
                    raise NameError(f"name {target!r} is not defined")
                result = names[target]
            else:
                result = _DOING[what](target, *arguments, **named)
            for key, (value, text) in before.items():
                after = plain(value)
                if after != text:
                    changed[key] = after
            text, result = _outcome(result, arguments)
        except BaseException as error:
            text = _raised(error)
        results.append(result)
        changed = "{" + ",".join([f"{key!r}:{text}" for key, text in changed.items()]) + "}"
        write("\n" + mark + " " + str(index) + " (" + text + "," + changed + ")\n")
    flush()


def _changeable(arguments, named):
    """The arguments that a function can change in place, with what they are now."""
    found = {}
    for key, value in itertools.chain(enumerate(arguments), named.items()):
        if type(value) in _CHANGEABLE:
            try:
                found[key] = (value, plain(value))
            except Unplain:
                # It holds objects of the program's, which know their own changes.
                pass
    return found


_CHANGEABLE = frozenset((list, dict, set, bytearray))


def _outcome(result, arguments):
    """What is told of a result, and what later operations find in its place."""
    for at, argument in enumerate(arguments):
        if result is argument and type(result) in _CHANGEABLE:
            return f"'a',{at}", result
    kind = type(result)
    if isinstance(result, type) and issubclass(result, BaseException):
        return f"'x',{_line(result)}", result
    try:
        if kind is GeneratorType or kind in _ITERATORS:
            items = list(itertools.islice(result, _AHEAD + 1))
            result = itertools.chain(items, result)
            done = len(items) <= _AHEAD
            return f"'g',({plain(items[:_AHEAD])},{done})", result
        return "'v'," + plain(result), result
    except Unplain:
        return f"'o',{kind.__name__!r}", result


_ITERATORS = frozenset(
    (map, filter, zip, enumerate, reversed, itertools.chain, itertools.islice, type(iter([])))
    + (type(iter(())), type(iter("")), type(iter(set())), type(iter({})), type(iter(range(0))))
    + (itertools.permutations, itertools.combinations, itertools.product, itertools.accumulate)
    + (itertools.takewhile, itertools.dropwhile, itertools.starmap, itertools.zip_longest)
)


def _line(kind):
    """The names of an exception's classes, its own first."""
    return "(" + "".join([repr(it.__name__) + "," for it in type.mro(kind)[:-1]]) + ")"


def _raised(error):
    try:
        arguments = plain(error.args)
    except BaseException:
        arguments = "()"
    return f"'e',({_line(type(error))},{arguments})"


def _call(target, /, *arguments, **named):
    return target(*arguments, **named)


def _iterated(target):
    return list(itertools.islice(target, 100_000))


_DOING = {
    "call": _call,
    "getattr": getattr,
    "setattr": setattr,
    "isinstance": lambda kind, value: isinstance(value, kind),
    "issubclass": lambda kind, value: issubclass(value, kind),
    "copy": copy.copy,
    "deepcopy": copy.deepcopy,
    "iter": _iterated,
    "next": next,
    "len": len,
    "str": str,
    "repr": repr,
    "format": format,
    "int": int,
    "float": float,
    "bool": bool,
    "round": round,
    "reversed": lambda target: list(reversed(target)),
    "enter": lambda target: type(target).__enter__(target),
    "exit": lambda target: type(target).__exit__(target, None, None, None),
}
_DOING |= {
    name: getattr(operator, name)
    for name in (
        "abs add and_ contains delitem eq floordiv ge getitem gt index invert le lshift lt"
        " matmul mod mul ne neg or_ pos pow rshift setitem sub truediv xor"
    ).split()
}
