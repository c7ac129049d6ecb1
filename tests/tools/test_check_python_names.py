#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Self-test of tools/check-python-names: it passes a good page, and it can fail.

Each bad page is python_names/good.md with one change, and must be refused with
the one line that belongs to it. Last comes the real page.
"""
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
TOOL = HERE.parent.parent / "tools" / "check-python-names"
TINY = HERE / "python_names"
GOOD = (TINY / "good.md").read_text()

# What is wrong, what to replace in the good page and by what, the fault.
BAD = [
    ("a name is missing",
     "| `shake` | `hkt_tin_shake` | planned | |\n", "",
     "4 names, there must be 5"),
    ("a name is there twice",
     "| `alarm` |", "| `Tin` |",
     "jars.Tin is on line"),
    ("done, and not declared",
     "`hkt_tin_shake` | planned", "`hkt_tin_shake` | done",
     "tins.shake is called done, but no header declares hkt_tin_shake"),
    ("planned, and there",
     "`hkt_tin`, `hkt_tin_open` | done", "`hkt_tin`, `hkt_tin_open` | planned",
     "tins.Tin is called planned, but all of it is there"),
    ("done by an error that error.h does not have",
     "| `Empty` | `-EAGAIN` |", "| `Empty` | `-EPIPE` |",
     "tins.Empty is called done, but error.h has no -EPIPE"),
    ("an error of the table called done too early",
     "EOFError | planned", "EOFError | done",
     "-ENODATA` is called done, but error.h has no -ENODATA"),
    ("an error of error.h is not in the table",
     "| `-EAGAIN` | not now | Empty | done |\n", "",
     "-EAGAIN is in error.h, and not in the page's table"),
    ("a method that is not declared",
     "| `Tin.close` | `hkt_tin_close` |", "| `Tin.close` | `hkt_tin_close`, `hkt_tin_shake` |",
     "Tin.close` is called done, but no header declares hkt_tin_shake"),
    ("a function of the headers is nowhere",
     "`hkt_tin_close`", "`hkt_tin`",
     "hkt_tin_close is declared, and nowhere on the page"),
    ("a name of our own that is not declared",
     "`HKT_TIN_MAX` | done", "`HKT_TIN_MIN` | done",
     "no header declares HKT_TIN_MIN"),
    ("a slip of the pen in the prose",
     "Wait with `hkt_tin_open`", "Wait with `hkt_tin_opne`",
     "python.md:3: hkt_tin_opne is neither declared nor planned"),
    ("no such status",
     "`hkt_tin_shake` | planned", "`hkt_tin_shake` | soon",
     "the status is neither done nor planned: 'soon'"),
    ("a row that names nothing",
     "| C's own: `alarm` |", "| |",
     "jars.alarm has no name of ours"),
    ("a row with a cell too few",
     "`hkt_jar` | planned |", "`hkt_jar` |",
     "too many or too few cells"),
    ("a count of done names that is not true",
     "| tins | 4 | 1 | 3 | 2 |", "| tins | 4 | 1 | 3 | 3 |",
     "tins: the table says 3 here, 3 done; the rows say 3, 2"),
    ("a count that does not add up",
     "| jars | 2 | 0 | 2 | 0 |", "| jars | 3 | 0 | 2 | 0 |",
     "jars: 3 less 0 is not 2"),
    ("a sum that does not add up",
     "| all | 6 | 1 | 5 | 2 |", "| all | 7 | 2 | 5 | 2 |",
     "all: the modules add up to 6 and 1"),
    ("a module without a count",
     "| jars | 2 | 0 | 2 | 0 |\n", "",
     "the table of counts has no row for jars"),
]


def run(*arguments):
    result = subprocess.run([sys.executable, str(TOOL), *map(str, arguments)],
                            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    return result.returncode, result.stdout, result.stderr


def tiny(text, *more):
    with tempfile.TemporaryDirectory() as folder:
        page = pathlib.Path(folder) / "python.md"
        page.write_text(text)
        return run("--page", page, "--include", TINY / "include", "--total", 5, *more)


def library(folder, *functions):
    """A shared library that exports these functions."""
    source, path = folder / "tin.c", folder / "libtin.so"
    source.write_text("".join(f"void {name}(void);\nvoid {name}(void) {{}}\n"
                              for name in functions))
    compiler = os.environ.get("CC", "cc").split()
    subprocess.run([*compiler, "-shared", "-fPIC", "-o", path, source], check=True)
    return path


def check_good():
    assert tiny(GOOD) == (0, "2 of 5\n", "")


def check_bad(old, new, fault):
    assert GOOD.count(old) == 1, f"the good page has it {GOOD.count(old)} times: {old}"
    status, output, faults = tiny(GOOD.replace(old, new))
    assert status == 1, f"status {status}"
    assert output.endswith(" of 5\n"), output
    assert fault in faults, faults


def check_library():
    with tempfile.TemporaryDirectory() as folder:
        whole = library(pathlib.Path(folder), "hkt_tin_open", "hkt_tin_close")
        assert tiny(GOOD, "--library", whole) == (0, "2 of 5\n", "")
        part = library(pathlib.Path(folder), "hkt_tin_close")
        status, _, faults = tiny(GOOD, "--library", part)
        assert status == 1 and "the library exports no hkt_tin_open" in faults, faults
        status, _, faults = tiny(GOOD, "--library", pathlib.Path(folder) / "none.so")
        assert status == 1 and "nm cannot read" in faults, faults


def check_nothing_to_compare():
    with tempfile.TemporaryDirectory() as folder:
        status, _, faults = run("--include", folder)
        assert status == 1 and "no functions declared" in faults, faults


def check_real_page():
    status, output, faults = run()
    assert status == 0 and output.endswith(" of 202\n"), faults


def main():
    tests = [("a good page", check_good)]
    tests += [(name, lambda case=case: check_bad(*case)) for name, *case in BAD]
    tests += [("nothing to compare with", check_nothing_to_compare),
              ("the real page", check_real_page)]
    if shutil.which(os.environ.get("CC", "cc").split()[0]):
        tests.append(("a library that exports too little", check_library))
    failed = 0
    for name, test in tests:
        try:
            test()
        except AssertionError as error:
            failed += 1
            print(f"FAILED: {name}: {error}")
    line = f"{len(tests) - failed} passed, {failed} failed"
    print(line)
    if os.environ.get("HOCKET_TEST_SUMMARY"):
        with open(os.environ["HOCKET_TEST_SUMMARY"], "a") as summary:
            summary.write(line + "\n")
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
