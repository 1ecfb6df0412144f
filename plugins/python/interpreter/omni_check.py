"""Runs tests in an instance of their own, against a program in another.

The tests are run as they stand, with the results that are known. Where one is
missing they are run once more, each statement by itself, to see what else they
will ask for: so a loop of a hundred calls takes one round and not a hundred.

Printed behind the mark: `verdict` and a `1` or `0` for each test; `ask`, how
many of the operations and results handed in still hold, and then an `op` line
for each operation that is to be carried out; `beyond` and why these tests
cannot be run this way; or `broken` and why they cannot be run at all.
"""

import ast
import builtins
import io
import random
import sys
from types import FunctionType, ModuleType
from unittest import SkipTest

from omni_remote import Beyond, Pending, Session

_ALONE = (
    ast.Expr, ast.Assign, ast.AugAssign, ast.AnnAssign, ast.Assert, ast.Delete, ast.For,
    ast.While, ast.With, ast.If, ast.Try, ast.Match,
)


def run(mark, seed, preamble, setup, entry, count, *rest):
    count = int(count)
    tests, known = rest[:count], rest[count:]
    session = Session(known[::2], known[1::2], entry)
    write, flush = sys.stdout.write, sys.stdout.flush
    sys.stdout = _Nowhere()
    try:
        compiled = [compile(test, "test.py", "exec", dont_inherit=True) for test in (setup, *tests)]
    except (SyntaxError, ValueError) as error:
        write(f"\n{mark} broken {type(error).__name__}: {error}\n")
        return flush()
    preamble = _compiled(preamble)
    verdict = _attempt(session, int(seed), preamble, compiled, tests)
    if session.stopped is None:
        write(f"\n{mark} verdict {verdict}\n")
        return flush()
    if type(session.stopped) is Pending:
        session.restart(True)
        softened = [_softened(test) for test in (setup, *tests)]
        _attempt(session, int(seed), preamble, softened, tests)
        if len(session.operations) == session.known and session.missing is not None:
            # What the tests stopped at is not to be seen without what they stopped for.
            session.operations.append(session.missing)
        if type(session.stopped) is not Beyond and len(session.operations) > session.known:
            lines = [f"\n{mark} op {it}" for it in session.operations[session.known :]]
            write(f"\n{mark} ask {session.known}" + "".join(lines) + "\n")
            return flush()
        if type(session.stopped) is not Beyond:
            session.stopped = Beyond(f"more than {session.known} operations")
    write(f"\n{mark} beyond {type(session.stopped).__name__}: {session.stopped}\n")
    flush()


def _compiled(preamble):
    """None where the program's own lines have to follow it."""
    try:
        return compile(preamble, "preamble.py", "exec", dont_inherit=True)
    except (SyntaxError, ValueError):
        return None


class _Builtins(dict):
    """What the tests do not define themselves, the program has to."""

    def __missing__(self, name):
        if name[:2] == "__":
            raise KeyError(name)
        return self.session.name(name)


class _Nowhere(io.TextIOBase):
    """Standard output of tests that say something."""

    def writable(self):
        return True

    def write(self, text):
        return len(text)


def _attempt(session, seed, preamble, compiled, tests):
    random.seed(seed)
    module = ModuleType("tests")
    sys.modules["tests"] = module
    names = module.__dict__
    known = names["__builtins__"] = _Builtins(builtins.__dict__)
    known["__pending__"] = (Pending, Exception)
    known.session = session
    if preamble is not None:
        try:
            exec(preamble, names)
        except Exception:
            # What it would have defined is the program's then.
            pass
        names.pop(session.entry, None)
    verdict = ""
    setup, *compiled = compiled
    try:
        exec(setup, names)
    except BaseException:
        return "0" * len(compiled)
    for code, source in zip(compiled, tests):
        try:
            exec(code, names)
            called(names, source)
            verdict += "1"
        except BaseException:
            verdict += "0"
        if session.stopped is not None:
            return verdict
    return verdict


def called(names, source):
    """Calls the tests that a source only defines: those of `unittest` classes
    and functions called `test_…`."""
    for name, value in list(names.items()):
        if isinstance(value, type) and hasattr(value, "assertAlmostEqual"):
            if value.__module__ == names.get("__name__"):
                _unittest(value)
        elif name[:5] == "test_" and type(value) is FunctionType:
            if not value.__code__.co_argcount and source.count(name + "(") == 1:
                value()


def _unittest(kind):
    names = [it for it in dir(kind) if it.startswith("test") and callable(getattr(kind, it))]
    if not names:
        return
    kind.setUpClass()
    failed = None
    for name in names:
        case = kind(name)
        try:
            case.setUp()
            try:
                getattr(case, name)()
            finally:
                case.tearDown()
        except SkipTest:
            pass
        except (Pending, Exception) as error:
            failed = failed or error
        case.doCleanups()
    kind.tearDownClass()
    kind.doClassCleanups()
    if failed is not None:
        raise failed


def _softened(source):
    """The code with each statement by itself: one that fails is left behind."""
    tree = ast.parse(source)
    tree.body = _alone(tree.body)
    return compile(ast.fix_missing_locations(tree), "test.py", "exec", dont_inherit=True)


def _alone(body):
    result = []
    for statement in body:
        for field in ("body", "orelse", "finalbody"):
            inner = getattr(statement, field, None)
            if inner:
                setattr(statement, field, _alone(inner))
        for branch in (*getattr(statement, "handlers", ()), *getattr(statement, "cases", ())):
            branch.body = _alone(branch.body)
        if isinstance(statement, _ALONE):
            caught = ast.Name("__pending__", ast.Load())
            handler = ast.ExceptHandler(caught, None, [ast.Pass()])
            statement = ast.Try([statement], [handler], [], [])
        result.append(statement)
    return result
