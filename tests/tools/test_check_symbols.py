# SPDX-License-Identifier: MIT
"""tools/check-symbols finds names that should not be there, and missing ones."""
import pathlib
import subprocess
import tempfile

from trees import main, run, write

HEADER = """
#define HKT_API __attribute__((visibility("default")))
#define HKT_MUST_USE __attribute__((warn_unused_result))
HKT_API HKT_MUST_USE int hkt_one(int (*function)(void *), void *arg);
HKT_API const char *hkt_two(void);
static inline int hkt_inline(void) { return 1; }
"""
SOURCE = """
#include <hocket.h>
int hkti_inside(void);
int hkti_inside(void) { return 1; }
int hkt_one(int (*function)(void *), void *arg) { return function(arg) + hkti_inside(); }
const char *hkt_two(void) { return "two"; }
"""


def check(header, source, flags=("-fvisibility=hidden",)):
    """Builds both libraries of this source, and checks them."""
    with tempfile.TemporaryDirectory() as folder:
        write(folder, {"include/hocket.h": header, "a.c": source})
        lib = pathlib.Path(folder) / "build" / "lib"
        lib.mkdir(parents=True)
        command = ["cc", "-fPIC", *flags, f"-I{folder}/include", f"{folder}/a.c"]
        subprocess.run([*command, "-shared", "-o", lib / "libhocket.so"], check=True)
        subprocess.run([*command, "-c", "-o", lib / "a.o"], check=True)
        subprocess.run(["ar", "rc", lib / "libhocket.a", lib / "a.o"], check=True)
        return run("check-symbols", "--root", folder, f"{folder}/build")


def test(said, *arguments):
    """A test: the check fails and says this; or passes, if there is nothing to say."""
    def body():
        status, output = check(*arguments)
        assert status == (1 if said else 0), output
        assert said in output, f"{said!r} is not in: {output}"
    return body


main({
    "good libraries": test("", HEADER, SOURCE),
    "an inside name exported": test("exports hkti_inside", HEADER, SOURCE, ()),
    "a foreign name exported": test("exports helper", HEADER,
                                    SOURCE + "HKT_API int helper; int helper;"),
    "a foreign name in the archive": test("has the global name helper", HEADER,
                                          SOURCE + "int helper;"),
    "not declared": test("exports hkt_three, which include/ does not declare", HEADER,
                         SOURCE + "HKT_API int hkt_three(void); int hkt_three(void) { return 3; }"),
    "not exported": test("does not export hkt_three",
                         HEADER + "HKT_API int hkt_three(void);\n", SOURCE),
})
