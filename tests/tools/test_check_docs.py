# SPDX-License-Identifier: MIT
"""tools/check-docs runs the programs of the documents, and compares what they print."""
import pathlib
import subprocess
import tempfile

from trees import main, run, write

GOOD = '#include <stdio.h>\nint main(void)\n{\n    puts("two");\n    return 0;\n}\n'


def page(code, output=None):
    return f"# Title\n\n```c\n{code}```\n" + (f"\n```\n{output}```\n" if output else "")


def test(said, text):
    """A test: the check fails and says this; or passes, if there is nothing to say."""
    def body():
        with tempfile.TemporaryDirectory() as folder:
            lib = pathlib.Path(folder) / "build" / "lib"
            write(folder, {"README.md": text, "include/none.h": "", "build/lib/a.c": "int a;\n"})
            subprocess.run(["cc", "-c", lib / "a.c", "-o", lib / "a.o"], check=True)
            subprocess.run(["ar", "rc", lib / "libhocket.a", lib / "a.o"], check=True)
            status, output = run("check-docs", "--root", folder, f"{folder}/build")
        assert status == (1 if said else 0), output
        assert said in output, f"{said!r} is not in: {output}"
    return body


main({
    "a good page": test("", page(GOOD, "two\n")),
    "no output given": test("", page(GOOD)),
    "another output": test("README.md:3: prints something else", page(GOOD, "three\n")),
    "a warning": test("does not compile", page(GOOD.replace("puts", "int unused; puts"))),
    "it fails": test("ends with 1", page(GOOD.replace("return 0", "return 1"))),
    "a part of a program is left alone": test("0 programs", page("int main(void);\n")),
})
