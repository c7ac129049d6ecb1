#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Tests of the command, from outside, as its users meet it.

    tests/cli/test_cli.py BINARY [WORD]      only the tests whose name has WORD

Prints one line per test, and last "N passed, N failed" (and the skipped ones, if any); appends
that line to the file that HOCKET_TEST_SUMMARY names. What needs OpenSSL is skipped in a build
without it.
"""
import os
import shutil
import sys
import tempfile
import time
import traceback

import cases_command_line  # pylint: disable=unused-import
import cases_sums  # pylint: disable=unused-import
import cases_comparison  # pylint: disable=unused-import
import cases_streams  # pylint: disable=unused-import
import cases_serve  # pylint: disable=unused-import
import cases_serve_hostile  # pylint: disable=unused-import
import cases_serve_load  # pylint: disable=unused-import
from support import TESTS, Skipped


def run_one(function):
    """One test in a directory of its own: its outcome, in words."""
    tree = tempfile.mkdtemp(prefix="hocket-cli-")
    try:
        function(tree)
        return "passed"
    except Skipped as why:
        print(f"skipped  {function.__name__}: {why}")
        return "skipped"
    except Exception:  # pylint: disable=broad-except
        traceback.print_exc(file=sys.stdout)
        return "failed"
    finally:
        shutil.rmtree(tree)


def main():
    if len(sys.argv) not in (2, 3):
        sys.exit(__doc__)
    counts = {"passed": 0, "failed": 0, "skipped": 0}
    for function in TESTS:
        if len(sys.argv) == 3 and sys.argv[2] not in function.__name__:
            continue
        start = time.monotonic()
        outcome = run_one(function)
        counts[outcome] += 1
        if outcome != "skipped":
            print(f"{outcome}   {function.__name__}  {time.monotonic() - start:.2f} s", flush=True)
    line = f"{counts['passed']} passed, {counts['failed']} failed"
    line += f", {counts['skipped']} skipped" if counts["skipped"] else ""
    if "HOCKET_TEST_SUMMARY" in os.environ:
        with open(os.environ["HOCKET_TEST_SUMMARY"], "a", encoding="ascii") as file:
            file.write(line + "\n")
    print(line)
    sys.exit(1 if counts["failed"] or not counts["passed"] else 0)


if __name__ == "__main__":
    main()
