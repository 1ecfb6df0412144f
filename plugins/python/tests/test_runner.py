"""What a program is told, and what its end is called. Runs in any CPython."""

import os
import random
import sys
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "interpreter"))

import runner


class Runner(unittest.TestCase):
    def setUp(self):
        kept = (sys.stdin, sys.stdout, sys.stderr, sys.argv, sys.modules["__main__"])
        limit = sys.getrecursionlimit()
        state = random.getstate()

        def restore():
            sys.stdin, sys.stdout, sys.stderr, sys.argv, sys.modules["__main__"] = kept
            sys.setrecursionlimit(limit)
            random.setstate(state)

        self.addCleanup(restore)

    def run_program(self, source, *arguments):
        result = runner.run(source, *arguments)
        return result.stdout, result.raised, result.stopped

    def test_a_program_reads_and_writes_as_main(self):
        source = "import sys\nprint(input(), sys.stdin.read(), __name__)\nsys.stderr.write('e')"
        result = runner.run(source, "a\nb\n")
        self.assertEqual(result.stdout, "a b\n __main__\n")
        self.assertEqual(result.stderr, "e")
        self.assertIsNone(result.raised)

    def test_exits_are_ends_unless_they_report_failure(self):
        for source in ("import sys; sys.exit()", "raise SystemExit(0)", "raise SystemExit"):
            self.assertEqual(self.run_program(source), ("", None, None))
        self.assertEqual(self.run_program("print(1); raise SystemExit(3)")[:2], ("1\n", "SystemExit: 3"))

    def test_an_exception_is_reported_as_cpython_does(self):
        _, raised, _ = self.run_program("def f():\n    return {}['k']\nf()\n")
        self.assertIn('File "program.py", line 2, in f', raised)
        self.assertTrue(raised.endswith("KeyError: 'k'"), raised)
        self.assertNotIn("runner.py", raised)
        _, raised, _ = self.run_program("x = = 1")
        self.assertIn("SyntaxError", raised)

    def test_an_exception_that_breaks_its_report_has_still_raised(self):
        source = "class E(Exception):\n    def __str__(self): raise SystemExit\nraise E"
        self.assertIn("E", self.run_program(source)[1])

    def test_output_is_limited_over_both_streams(self):
        source = "import sys\nfor _ in range(100):\n    print('x' * 99)\n    sys.stderr.write('y' * 99)"
        stdout, raised, stopped = self.run_program(source, "", 0, 5000)
        self.assertIn("5000", stopped)
        self.assertIsNone(raised)
        self.assertLessEqual(len(stdout), 5000)
        swallowed = "try:\n    print('x' * 9000, flush=True)\nexcept BaseException:\n    pass"
        self.assertIsNotNone(self.run_program(swallowed, "", 0, 5000)[2])

    def test_randomness_is_the_seed_s(self):
        source = "import random\nprint(random.random(), random.Random(3).random())"
        first, again = self.run_program(source, "", 1), self.run_program(source, "", 1)
        self.assertEqual(first, again)
        self.assertNotEqual(first, self.run_program(source, "", 2))

    def test_deep_recursion_raises(self):
        self.assertIn("RecursionError", self.run_program("def f(): f()\nf()")[1])


if __name__ == "__main__":
    unittest.main()
