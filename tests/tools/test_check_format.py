# SPDX-License-Identifier: MIT
"""tools/check-format finds what clang-format would write differently, and mends it."""
import pathlib
import shutil
import tempfile

from trees import bad, good, main, run, write

GOOD = "int f(void)\n{\n    return 1;\n}\n"
BAD = "int f(void) {\n  return 1;\n}\n"


def fix():
    with tempfile.TemporaryDirectory() as folder:
        write(folder, {"src/base/a.c": BAD})
        status, output = run("check-format", "--root", folder, "--fix")
        assert status == 0, output
        assert (pathlib.Path(folder) / "src/base/a.c").read_text() == GOOD


if shutil.which("clang-format"):
    main({
        "good code": good("check-format", {"src/base/a.c": GOOD}),
        "bad code": bad("check-format", {"src/base/a.c": BAD}, "src/base/a.c:1: should be"),
        "the right line": bad("check-format", {"cli/a.c": GOOD + "int  a;\n"}, "cli/a.c:5:"),
        "an empty tree": bad("check-format", {}, "found no files"),
        "--fix": fix,
    })
else:
    # Formatting is checked where there is a formatter; .ci/run installs it.
    main({"no clang-format: the check fails": bad("check-format", {"src/base/a.c": GOOD},
                                                  "clang-format")})
