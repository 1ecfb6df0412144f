"""Makes the snapshot cheap to start from. A program's instance shares its pages
with all others until it writes to them, so what matters is how few it writes.

Three things write all over the heap although nothing changes. Reading an object
writes its reference count: so all that exists when the snapshot is taken is made
immortal. Allocations fill holes here and there: so the holes are filled before,
and new objects lie side by side. And the first runs of a function specialize its
code and fill caches: so what every program runs through has run before.
"""

import gc
import opcode
import struct
import sys

import runner

# What must not be let go.
_kept = []


def take():
    """The last step before the snapshot."""
    _warm()
    gc.collect()
    _immortalize()
    gc.freeze()
    # Last, since all of this leaves holes.
    _kept.append(_fill_holes())
    gc.disable()


def _warm():
    """Runs programs as they come, so that the snapshot has what that changes."""
    source = """
import sys, math, collections
class Solution:
    def double(self, x):
        return [y * 2 for y in x if y]
def f(x, *rest, key=None):
    seen = {}
    for i, c in enumerate(sorted(set(str(x)))):
        seen[c] = seen.get(c, 0) + i
    s = ""
    while len(s) < 3:
        s += f"{x:>3}"
    try:
        return Solution().double([int(c) for c in "123"]), s.split(), max(seen), (x + 1) / 2
    except (ValueError, KeyError):
        return None
if __name__ == "__main__":
    a, b = map(int, input().split())
    n = int(sys.stdin.readline())
    print(f(a), b, sum(range(n)))
"""
    calls = ["f(12)", "f('ab')", "Solution().double([1, 2])", "abs(f(3)[3])", "g(1)"]
    check = "def check(candidate):\n    for i in range(3):\n        assert candidate(i) == i\n"
    program = "import omni_harness\nomni_harness.run()\n"
    for _ in range(12):
        runner.run(source, "1 2\n3\n", 0)
        runner.run(program, _pieces("calls", "m", source, "", "g", "f", *calls), 0)
        pieces = _pieces("check", "m", "0", "", "", "f", "1", check + "check(f)\n")
        runner.run(program, pieces, 0)
        operation = "'name','f',(),{}", "'call',h[0],(1,),{}"
        runner.run(program, _pieces("operations", "m", source, *operation), 0)
    for name in ("program", "tests"):
        sys.modules.pop(name, None)


def _pieces(*pieces):
    return " ".join([str(len(it.encode())) for it in pieces]) + "\n" + "".join(pieces)


def _fill_holes():
    """Fills the heap's holes, so that new objects go behind its end, where what
    is free again is used again before what was never used."""
    end = bytes(1 << 16)
    filling = [end]
    beyond = []
    size = 1 << 16
    # The shortest strings of bytes are not made anew.
    while size >= 24:
        # Several in a row behind the end: there are no more holes of this size.
        behind = 0
        while behind < 8:
            piece = bytes(size - bytes.__basicsize__)
            if id(piece) > id(end):
                behind += 1
                beyond.append(piece)
            else:
                behind = 0
                filling.append(piece)
        size -= 8 if size <= 1024 else size // 64 * 8
    beyond.clear()
    return filling


def _immortalize():
    """Makes every object that exists now immortal, so that reading it writes nothing."""
    memory = _memory()
    if memory is None:
        return
    seen = {id(None)}
    todo = [sys.modules, *gc.get_objects()]
    while todo:
        found = todo.pop()
        if id(found) in seen or found is seen or found is todo:
            continue
        seen.add(id(found))
        if not sys._is_immortal(found):
            memory[id(found) + 3] = 0x50
        if type(found).__name__ == "code":
            # The garbage collector does not look into these.
            todo += (found.co_consts, found.co_names, found.co_varnames, found.co_cellvars)
            todo += (found.co_freevars, found.co_name, found.co_qualname, found.co_filename)
            todo += (found.co_linetable, found.co_exceptiontable)
        else:
            todo += gc.get_referents(found)


def _memory():
    """All of this instance's memory as a byte array; none on another CPython.

    Python has no way to it, so one is made: a function that is altered to load a
    constant behind the end of its table gets to an object that is forged here.
    The layouts are CPython 3.14's on 32 bits, which the component is built with.
    """
    if sys.version_info[:2] != (3, 14) or tuple.__itemsize__ != 4:
        return None
    contents = bytes.__basicsize__ - 1
    size = (1 << 31) - 1
    # A byte array that begins at address 0.
    forged = struct.pack("<7I", 1 << 20, id(bytearray), size, size, 0, 0, 0)
    pointer = struct.pack("<I", id(forged) + contents)

    def forger():
        return 0

    def loading(index):
        numbers = opcode.opmap
        body = bytearray((numbers["RESUME"], 0))
        for shift in (24, 16, 8):
            body += bytes((numbers["EXTENDED_ARG"], index >> shift & 255))
        body += bytes((numbers["LOAD_CONST"], index & 255, numbers["RETURN_VALUE"], 0))
        return forger.__code__.replace(co_code=bytes(body), co_consts=constants)

    constants = (None, forged, pointer)
    table = id(loading(0).co_consts) + tuple.__basicsize__
    altered = loading((id(pointer) + contents - table) % (1 << 32) // 4)
    if id(altered.co_consts) + tuple.__basicsize__ != table:
        raise SystemError("constants are copied: the snapshot needs another way to memory")
    forger.__code__ = altered
    memory = forger()
    _kept.append((forged, pointer, constants, memory))
    probe = ["probe"]
    before = sys._is_immortal(probe)
    memory[id(probe) + 3] = 0x50
    if before or not sys._is_immortal(probe):
        raise SystemError("objects have another layout than the snapshot takes them to have")
    return memory
