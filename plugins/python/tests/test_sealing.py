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
            "import os; os.urandom(1)",
            "import time; time.time()",
            "from time import perf_counter; perf_counter()",
            "import datetime; datetime.datetime.now()",
            "import uuid; uuid.uuid4()",
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
            ("import time\ntime.sleep(9)\nprint(time.gmtime(0).tm_year)", "1970\n"),
            ("from datetime import datetime\nprint(repr(datetime(2020, 1, 2)))", "datetime.datetime(2020, 1, 2, 0, 0)\n"),
            ("import random\nprint(random.Random().random() < 1)", "True\n"),
            ("import hashlib\nprint(hashlib.md5(b'').hexdigest()[:4])", "d41d\n"),
            ("import sys\nprint(sys.maxsize == 2**63 - 1)", "True\n"),
            ("exit()", ""),
        ):
            result = self.run_program(source, "in")
            self.assertEqual((result.stdout, result.raised), (stdout, None), source)

    def test_an_error_shows_its_line(self):
        self.assertIn("    1 / 0", self.run_program("def f():\n    1 / 0\nf()").raised)


if __name__ == "__main__":
    # unittest's own runner asks a clock for its times, and there is none now.
    for name in unittest.TestLoader().getTestCaseNames(Sealing):
        getattr(Sealing(name), name)()
    sys.stdout.write("all passed\n")
