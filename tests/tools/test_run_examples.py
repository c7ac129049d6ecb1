# SPDX-License-Identifier: MIT
"""tools/run-examples notices wrong output, wrong times, and missing expectations."""
import pathlib
import tempfile

from trees import main, run, write


def example(script, expected, said, *options):
    """A test: the example prints so; run-examples says this, or passes if that is empty."""
    def test():
        with tempfile.TemporaryDirectory() as folder:
            write(folder, {"bin/one": "#!/bin/sh\n" + script})
            (pathlib.Path(folder) / "bin/one").chmod(0o755)
            (pathlib.Path(folder) / "expected").mkdir()
            if expected is not None:
                write(folder, {"expected/one.txt": expected})
            status, output = run("run-examples", *options, "--expected", f"{folder}/expected",
                                 f"{folder}/bin", "one")
        assert status == (1 if said else 0), output
        assert (said or "1 passed, 0 failed") in output, output
    return test


def no_example():
    with tempfile.TemporaryDirectory() as folder:
        status, output = run("run-examples", folder)
        assert status == 1 and output == "0 passed, 0 failed\n", output


main({
    "good output": example("echo a; echo b", "a\nb\n", ""),
    "wrong output": example("echo a; echo c", "a\nb\n", "+c"),
    "more output": example("echo a; echo b", "a\n", "+b"),
    "another order": example("echo b; echo a", "a\nb\n", "FAIL"),
    "any order": example("echo b; echo a", "# sorted\na\nb\n", ""),
    "in time": example("sleep 0.2; echo a", "# time 0.2 2\na\n", ""),
    "too slow": example("sleep 0.5; echo a", "# time 0 0.3\na\n", "must take at most"),
    "slower machines": example("sleep 0.5; echo a", "# time 0 0.3\na\n", "", "--stretch=6"),
    "too quick": example("echo a", "# time 1 2\na\n", "must take at least"),
    "both directives": example("echo b; echo a", "# sorted\n# time 0 2\na\nb\n", ""),
    "an unknown directive": example("echo a", "# thyme 0 2\na\n", "unknown directive"),
    "no expectation": example("echo a", None, "there is no"),
    "an exit code": example("echo a; exit 3", "a\n", "exited with 3"),
    "no example": no_example,
})
