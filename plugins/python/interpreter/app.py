"""The plugin: the world's exports over `runner`, sealed before the snapshot.

componentize-py imports this module once and keeps the memory as it then is;
every program runs in a copy of it. So all that is slow, or that would touch a
file, is done here, at import.
"""

import componentize_py_types  # noqa: F401
import wit_world.exports
import wit_world.exports.interpreter
import wit_world.imports.log  # noqa: F401
from wit_world.imports import programs

import omni_harness  # noqa: F401
import runner
import sealing
import snapshot

sealing.preload()
sealing.seal()


class Interpreter(wit_world.exports.Interpreter):
    def languages(self):
        return ["python"]

    def run(self, program):
        limits = program.limits
        result = runner.run(
            program.source,
            program.stdin,
            program.seed,
            limits.output_bytes if limits is not None else runner.OUTPUT_BYTES,
        )
        if result.stopped is not None:
            stop = programs.Stop(programs.StopKind.OUTPUT, result.stopped)
            status = programs.Status_Stopped(stop)
        elif result.raised is not None:
            status = programs.Status_Raised(result.raised)
        else:
            status = programs.Status_Exited()
        # The host, which meters it, fills in the fuel.
        return programs.Execution(status, result.stdout, result.stderr, 0)


snapshot.take()
