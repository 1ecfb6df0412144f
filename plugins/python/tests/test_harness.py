"""What the harness prints, and that tests in an instance of their own come to
the same as tests beside the program.

Each run is in a process of its own, as each is in an instance of its own.
"""

import ast
import os
import subprocess
import sys
import unittest

INTERPRETER = os.path.join(os.path.dirname(__file__), "..", "interpreter")
MARK = "mark"
RUN = """
import sys
sys.path.insert(0, sys.argv[1])
import omni_harness, runner
result = runner.run("import omni_harness\\nomni_harness.run()\\n", sys.stdin.read(), 1)
out = open(1, "w", closefd=False)
out.write(result.stdout + ("raised " + result.raised if result.raised else ""))
out.flush()
"""


def harness(*pieces):
    text = " ".join(str(len(it.encode())) for it in pieces) + "\n" + "".join(pieces)
    command = [sys.executable, "-I", "-S", "-B", "-c", RUN, INTERPRETER]
    ran = subprocess.run(command, input=text, capture_output=True, text=True, check=True)
    return ran.stdout


def marked(text):
    lines = text.split("\n")
    return [line[len(MARK) + 1 :] for line in lines if line.startswith(MARK + " ")]


def exchanged(program, test, entry="f", rounds=8):
    """The verdict of a test, as the reward `code/code` gets it; and after how many rounds."""
    operations, results = [], []
    for count in range(rounds):
        known = [it for pair in zip(operations, results) for it in pair]
        lines = marked(harness("check", MARK, "1", "", "", entry, "1", test, *known))
        word, _, rest = lines[0].partition(" ")
        if word != "ask":
            return word, rest, count
        operations[int(rest) :] = [line[3:] for line in lines[1:]]
        written = [it.replace("\x01", "h[").replace("\x02", "]") for it in operations]
        lines = marked(harness("operations", MARK, program, *written))
        results = [line.partition(" ")[2] for line in lines]
        if len(results) != len(operations):
            return "verdict", "0", count
    return "rounds", "", rounds


class Harness(unittest.TestCase):
    def test_values_are_printed_as_literals(self):
        program = """
from collections import Counter, deque, namedtuple
from fractions import Fraction
P = namedtuple("P", "a b")
class Sly(int):
    __repr__ = lambda self: "7"
def f(kind):
    if kind == "quit": raise SystemExit
    return {"set": {1}, "tuple": (1,), "named": P(1, [2]), "counter": Counter("a"), "deque": deque([1]),
            "half": Fraction(1, 2), "sly": Sly(3), "text": "\\n'", "object": P, "nan": float("nan")}[kind]
"""
        kinds = "set tuple named counter deque half sly text object nan quit missing".split()
        calls = [f"c({kind!r})" for kind in kinds]
        printed = [line.partition(" ")[2] for line in marked(harness("calls", MARK, program, "", "c", "f", *calls))]
        self.assertEqual(
            printed,
            ["set([1])", "(1,)", "(1,[2],)", "Counter({'a':1})", "deque([1])", "Fraction(1,2)", "3"]
            + [repr("\n'"), "?True", "nan", "!SystemExit", "!KeyError"],
        )

    def test_tests_run_apart_from_the_program(self):
        for program, test, verdict in (
            ("def f(x): return x + 1", "for i in range(50):\n    assert f(i) == i + 1", "1"),
            ("def f(x): return x", "for i in range(50):\n    assert f(i) == i + 1", "0"),
            ("def f(x): x.sort()", "a = [3, 1, 2]\nf(a)\nassert a == [1, 2, 3]", "1"),
            ("def f(x): x['b'] = {1}; return x", "a = {}\nassert f(a) is a and a == {'b': {1}}", "1"),
            ("def f(x): raise ValueError('no')", "try:\n    f(1)\n    assert 0\nexcept ValueError as e:\n    assert str(e) == 'no'", "1"),
            ("class Oops(Exception): pass\ndef f(x): raise Oops(x)", "try:\n    f(1)\n    assert 0\nexcept Oops as e:\n    assert e.args == (1,)", "1"),
            ("def f(n):\n    while True:\n        yield n\n        n += 1", "import itertools\nassert list(itertools.islice(f(3), 4)) == [3, 4, 5, 6]", "1"),
            ("def f(n): return (i for i in range(n))", "assert list(f(3)) == [0, 1, 2] and sum(f(4)) == 6", "1"),
            ("def enc(s): return s[::-1]\ndef f(s): return s[::-1]", "for s in ('ab', 'cde'):\n    assert f(enc(s)) == s", "1"),
            ("def g(x): return x * 2\ndef f(x): return x * 2", "assert tuple(f([1])) == tuple(g([1]))\nassert f(2) == g(2)", "1"),
            ("class S:\n    def __init__(s): s.v = []\n    def push(s, x): s.v.append(x)\n    def pop(s): return s.v.pop()\n    def __len__(s): return len(s.v)",
             "s = S()\nfor i in range(3):\n    s.push(i)\nassert len(s) == 3\nassert [s.pop(), s.pop()] == [2, 1]\nassert s.v == [0]\nassert isinstance(s, S)", "1"),
            ("class V:\n    def __init__(s, x): s.x = x\n    def __add__(s, o): return V(s.x + o.x)\n    def __eq__(s, o): return s.x == o.x", "assert V(1) + V(2) == V(3)\nassert not V(1) == V(2)", "1"),
            ("class V:\n    def __eq__(s, o): return True\ndef f(x): return V()", "for i in range(3):\n    assert f(i) == i", "0"),
            ("class V(float):\n    def __sub__(s, o): return 0.0\nclass W:\n    def __sub__(s, o): return 0.0\ndef f(x): return W()", "for i in range(3):\n    assert abs(f(i) - i) < 1e-6", "0"),
            ("def f(x): return x", "import unittest\nclass T(unittest.TestCase):\n    def test_a(self):\n        self.assertEqual(f(1), 1)\n        with self.assertRaises(TypeError):\n            f()", "1"),
            ("def f(x): return 0", "import unittest\nclass T(unittest.TestCase):\n    def test_a(self):\n        self.assertEqual(f(1), 1)", "0"),
            ("def f(x): return x", "def test_one():\n    assert f(1) == 2", "0"),
            ("def g(x): return x", "assert f(1) == 1", "0"),
            ("import sys\nsys.exit(0)", "assert f(1) == 1", "0"),
            ("def f(x):\n    import os\n    os._exit(0)", "assert f(1) == 1", "0"),
            ("import random\ndef f(x): return sorted(x)", "import random\nfor _ in range(9):\n    x = [random.random() for _ in range(5)]\n    assert f(x) == sorted(x)", "1"),
        ):
            word, rest, rounds = exchanged(program, test)
            self.assertEqual((word, rest), ("verdict", verdict), (program, test))
            self.assertLess(rounds, 4, test)

    def test_what_cannot_be_carried_over_is_said(self):
        self.assertEqual(exchanged("def f(g): return g(1)", "assert f(lambda x: x) == 1")[0], "beyond")
        self.assertEqual(exchanged("", "assert (")[0], "broken")

    def test_no_test_runs_before_the_program(self):
        lines = marked(harness("check", MARK, "1", "", "", "f", "1", "assert 1 + 1 == 2"))
        self.assertEqual(lines, ["verdict 1"])

    def test_guarded_tests_see_no_patched_builtins(self):
        program = "import builtins\nbuiltins.len = lambda x: 5\ndef f(x): return [x]"
        tests = "assert len(f(1)) == 1", "assert len(f(1)) == 5"
        self.assertEqual(marked(harness("guarded", MARK, program, "", "", "f", "", *tests)), ["10"])

    def test_the_secret_is_not_to_be_had(self):
        for program in (
            "import sys\nsys.stdin.buffer.seek(0)\nprint(sys.stdin.buffer.read().decode())\ndef f(x): pass",
            "import sys\nsys.addaudithook(lambda e, a: print(e, a))\ndef f(x): pass",
            "import runner\nold = runner.Sink.text\nrunner.Sink.text = lambda s: old(s).replace(' 0', ' 1')\ndef f(x): pass",
            "import runner\nrunner.Result.__init__ = lambda s, a, b, c, d: print(c)\ndef f(x): pass",
        ):
            out = harness("guarded", MARK, program, "", "", "f", "", "assert f(1) == 1")
            self.assertEqual(marked(out), ["0"], program)

    def test_literals_are_literals(self):
        out = harness("calls", MARK, "def f(): return [1, 'a', (None,), {2: b'x'}]", "", "", "", "f()")
        self.assertEqual(ast.literal_eval(marked(out)[0].partition(" ")[2]), [1, "a", (None,), {2: b"x"}])


if __name__ == "__main__":
    unittest.main()
