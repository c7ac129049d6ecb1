# SPDX-License-Identifier: MIT
"""tools/run-tests adds up what test programs count, and fails if nothing ran."""
import os
import pathlib
import subprocess
import sys
import tempfile

from trees import TOOLS, main, write


def counting(script, said, status):
    """A test: run-tests with this in CTest's place ends so."""
    def test():
        with tempfile.TemporaryDirectory() as folder:
            write(folder, {"ctest": "#!/bin/sh\n" + script})
            (pathlib.Path(folder) / "ctest").chmod(0o755)
            env = dict(os.environ, PATH=folder + ":" + os.environ["PATH"])
            done = subprocess.run([sys.executable, TOOLS / "run-tests", folder],
                                  stdout=subprocess.PIPE, text=True, env=env)
        lines = done.stdout.splitlines()
        assert lines[-1] == said, done.stdout
        assert ("2 skipped" in script) == any(line.startswith("2 skipped:") for line in lines)
        assert done.returncode == status, done.returncode
    return test


TWO = 'echo "3 passed, 0 failed" >>"$HOCKET_TEST_SUMMARY"\n' \
      'echo "4 passed, 0 failed, 2 skipped" >>"$HOCKET_TEST_SUMMARY"\n'

main({
    "a sum": counting(TWO, "7 passed, 0 failed", 0),
    "a failure": counting(TWO + 'echo "0 passed, 2 failed" >>"$HOCKET_TEST_SUMMARY"; exit 8',
                          "7 passed, 2 failed", 1),
    "a failure that CTest missed": counting(
        TWO + 'echo "0 passed, 2 failed" >>"$HOCKET_TEST_SUMMARY"',
        "7 passed, 2 failed", 1),
    "a program that died before it counted": counting(TWO + "exit 8",
                                                      "7 passed, 1 failed", 1),
    "no test": counting("", "0 passed, 0 failed", 1),
    "only skipped ones": counting('echo "0 passed, 0 failed, 2 skipped" >>"$HOCKET_TEST_SUMMARY"',
                                  "0 passed, 0 failed", 1),
})
