"""What rewards run programs under; `code/code` asks for it. It stands in the
interpreter so that it is compiled once, in the snapshot.

`run()` reads from standard input what it is to do: a line of sizes in bytes,
and behind it so many pieces of text, the first of which names the way:

`calls`: the values of expressions are printed, each on a line that starts with
the mark. What they are compared with is not here at all.

`operations`: what tests that run elsewhere (`check`) did to the names that the
program defines is done here in the same order, and what came of it is printed
(both `omni_calls`).

`check`: tests, in an instance that the program is not in (`omni_check`).

`guarded`: tests that must share the program's instance (`omni_guard`).
"""

import sys

import omni_calls
import omni_check
import omni_guard


def run():
    stdin = sys.stdin.buffer
    head, _, rest = stdin.read().partition(b"\n")
    # Not there to be read again.
    stdin.seek(0)
    stdin.truncate()
    pieces = []
    at = 0
    for size in head.split():
        end = at + int(size)
        pieces.append(rest[at:end].decode())
        at = end
    sys.modules["__main__"].__dict__.clear()
    sys.set_int_max_str_digits(0)
    _WAYS[pieces[0]](*pieces[1:])


_WAYS = {
    "calls": omni_calls.calls,
    "operations": omni_calls.operate,
    "check": omni_check.run,
    "guarded": omni_guard.start,
}
