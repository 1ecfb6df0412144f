"""What is closed and what still works once the interpreter is sealed.

Sealing cannot be undone, so this file wants a process of its own.
"""

import os
import sys
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "interpreter"))

import runner
import sealing

_streams = sys.stdin, sys.stdout, sys.stderr
sealing.preload()
sealing.seal()


class Sealing(unittest.TestCase):
    def run_program(self, source, stdin=""):
        main = sys.modules["__main__"]
        maxsize = sys.maxsize
        try:
            return runner.run(source, stdin, 1)
        finally:
            sys.stdin, sys.stdout, sys.stderr = _streams
            sys.modules["__main__"] = main
            sys.maxsize = maxsize

    def test_what_asks_the_system_raises(self):
        for source in (
            "open('/etc/passwd')",
            "import os; os.listdir('/')",
            "import os; os.getpid()",
            "import time; time.clock_settime(0, 1)",
            "import asyncio; asyncio.run(asyncio.sleep(0))",
            "import io; io.FileIO('x')",
        ):
            result = self.run_program(source)
            self.assertIn("PermissionError", result.raised or "", source)
        self.assertIn("ModuleNotFoundError", self.run_program("import no_such_module").raised)

    def test_what_programs_use_innocently_works(self):
        for source, stdout in (
            ("print(open(0).read())", "in\n"),
            ("import os\nprint(os.read(0, 9))", "b'in'\n"),
            ("import os\nprint('a')\nos.write(1, b'b')", "a\nb"),
            ("import os\nprint(1)\nos._exit(0)", "1\n"),
            ("import threading\nt = threading.Thread(target=print, args=('t',))\nt.start()\nt.join()", "t\n"),
            (
                "from concurrent.futures import ThreadPoolExecutor, as_completed\n"
                "with ThreadPoolExecutor() as pool:\n"
                "    print(list(pool.map(abs, [-1, 2])), pool.submit(int, 'x').exception())\n"
                "    print([it.result() for it in as_completed([pool.submit(abs, -3)])])",
                "[1, 2] invalid literal for int() with base 10: 'x'\n[3]\n",
            ),
            ("import time\ntime.sleep(9)\nprint(time.gmtime(0).tm_year)", "1970\n"),
            ("from datetime import datetime\nprint(repr(datetime(2020, 1, 2)))", "datetime.datetime(2020, 1, 2, 0, 0)\n"),
            ("import random\nprint(random.Random().random() < 1)", "True\n"),
            ("import hashlib\nprint(hashlib.md5(b'').hexdigest()[:4])", "d41d\n"),
            ("import sys\nprint(sys.maxsize == 2**63 - 1)", "True\n"),
            ("import os\nprint(os.getcwd(), os.path.abspath('a'), os.cpu_count())", "/ /a 1\n"),
            ("exit()", ""),
        ):
            result = self.run_program(source, "in")
            self.assertEqual((result.stdout, result.raised), (stdout, None), source)

    def test_clocks_start_at_the_same_moment_and_move_on(self):
        source = """
import datetime, logging, sys, time, timeit, uuid, secrets, os, random
from time import perf_counter, sleep
for clock in (time.time, time.monotonic, perf_counter, time.process_time, time.time_ns):
    assert clock() < clock() < clock(), clock
before = time.monotonic()
sleep(3)
assert 3 < time.monotonic() - before < 3.01
end = time.time() + 0.5
while time.time() < end:
    pass
assert timeit.timeit("1", number=2) > 0
kind = datetime.datetime
first, second = kind.now(), kind.now(datetime.timezone.utc)
assert type(first) is type(kind(2020, 1, 2)) is kind and isinstance(first, datetime.date)
assert first < kind.now() and second.tzinfo and kind.utcnow().tzinfo is None
class Mine(kind):
    pass
assert type(Mine.now()) is type(Mine.today()) is Mine
assert abs(first - kind.today()) < datetime.timedelta(1)
assert type(datetime.date.today()) is type(first.date()) is datetime.date
assert abs(datetime.date.today() - first.date()) < datetime.timedelta(2)
assert time.gmtime()[:3] == (2024, 1, 1) and time.gmtime(0)[:3] == (1970, 1, 1)
assert time.strftime("%Y", time.gmtime()) == "2024" and time.strftime("%j") in ("001", "365")
assert len(time.ctime()) == len(time.asctime()) == len(time.ctime(0)) == 24
logging.basicConfig(force=True, stream=sys.stdout, format="%(asctime)s %(message)s")
logging.warning("warned")
first = uuid.uuid4()
assert first != uuid.uuid4() and first.version == 4
assert len(os.urandom(7)) == 7 and len(secrets.token_hex(8)) == 16
assert random.SystemRandom().random() < 1 and secrets.choice("ab") in "ab"
print(first, secrets.token_urlsafe(), perf_counter(), kind.now())
"""
        result = self.run_program(source)
        self.assertIsNone(result.raised)
        self.assertIn("warned", result.stdout)
        self.assertEqual(result.stdout, self.run_program(source).stdout)

    def test_the_runner_of_unittest_runs(self):
        source = """
import unittest
class Tests(unittest.TestCase):
    def test_right(self):
        self.assertEqual(1 + 1, 2)
    def test_wrong(self):
        self.assertEqual(1 + 1, 3)
suite = unittest.TestLoader().loadTestsFromTestCase(Tests)
result = unittest.TextTestRunner().run(suite)
print(result.testsRun, len(result.failures), len(result.errors))
"""
        self.assertEqual(self.run_program(source).stdout, "2 1 0\n")

    def test_an_error_shows_its_line(self):
        self.assertIn("    1 / 0", self.run_program("def f():\n    1 / 0\nf()").raised)


if __name__ == "__main__":
    unittest.main()
