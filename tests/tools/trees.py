# SPDX-License-Identifier: MIT
"""For the tests of tools/: tiny trees, written out as dictionaries from path
to text, and the counting of tests."""
import os
import pathlib
import subprocess
import sys
import tempfile

TOOLS = pathlib.Path(__file__).resolve().parent.parent.parent / "tools"


def write(folder, tree):
    """Writes a tree into a folder."""
    for name, text in tree.items():
        path = pathlib.Path(folder) / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")


def run(check, *arguments):
    """Runs a tool, written in Python: its exit status, and all that it printed."""
    # What it counts is not ours to add up.
    env = {name: value for name, value in os.environ.items()
           if not name.startswith("HOCKET_TEST_")}
    done = subprocess.run([sys.executable, TOOLS / check, *arguments], stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, env=env)
    return done.returncode, done.stdout


def run_in(tree, check, *arguments):
    """Runs a check in a tree."""
    with tempfile.TemporaryDirectory() as folder:
        write(folder, tree)
        return run(check, "--root", folder, *arguments)


def good(check, tree):
    """A test: the check finds nothing wrong in the tree."""
    def test():
        status, output = run_in(tree, check)
        assert status == 0, output
    return test


def bad(check, tree, said):
    """A test: the check fails in the tree, and says so."""
    def test():
        status, output = run_in(tree, check)
        assert status == 1, f"status {status}: {output}"
        assert said in output, f"{said!r} is not in: {output}"
    return test


def main(tests):
    """Runs tests, a dictionary from name to function, and ends the program."""
    failed = 0
    for name, test in tests.items():
        try:
            test()
        except AssertionError as error:
            failed += 1
            print(f"FAIL {name}: {error}")
    line = f"{len(tests) - failed} passed, {failed} failed"
    print(line)
    if os.environ.get("HOCKET_TEST_SUMMARY"):
        with open(os.environ["HOCKET_TEST_SUMMARY"], "a", encoding="utf-8") as summary:
            summary.write(line + "\n")
    sys.exit(1 if failed or not tests else 0)
