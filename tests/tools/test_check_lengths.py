# SPDX-License-Identifier: MIT
"""tools/check-lengths counts lines of files, functions, headers, examples."""
from trees import bad, good, main


def function(lines, head="static int\nlong_one(int a)"):
    """A function of so many lines in all."""
    body = lines - head.count("\n") - 3
    return "int before;\n\n" + head + "\n{\n" + "    x();\n" * body + "}\n"


def good_file(path, text):
    return good("check-lengths", {path: text})


def bad_file(path, text, said):
    return bad("check-lengths", {path: text}, said)


main({
    "a file of 500 lines": good_file("src/base/a.c", "int a;\n" * 500),
    "a file of 501 lines": bad_file("src/base/a.c", "int a;\n" * 501, "501 lines, at most 500"),
    "a test of 501 lines": bad_file("tests/unit/a.c", "int a;\n" * 501, "501 lines"),
    "a tool of 501 lines": bad_file("tools/a", "a\n" * 501, "501 lines"),
    "a function of 60 lines": good_file("src/base/a.c", function(60)),
    "a function of 61 lines": bad_file("src/base/a.c", function(61),
                                       "src/base/a.c:3: long_one has 61 lines"),
    "braces in quotes and comments": bad_file(
        "src/base/a.c", function(61).replace("x();", "x('{', \"}\"); /* } */", 1), "61 lines"),
    "a function in a linkage block": bad_file(
        "include/hocket/a.h", 'extern "C" {\n' + function(61) + "}\n", "long_one has 61 lines"),
    "the second function": bad_file("src/base/a.c", function(60) + function(61), ":65:"),
    "a test's body": bad_file("tests/unit/a.c", function(61, "TEST(it_is_so)"), "61 lines"),
    "a long table is no function": good_file("src/base/a.c",
                                             "int a[] = {\n" + "    1,\n" * 100 + "};\n"),
    "a long struct is no function": good_file("src/base/a.c",
                                              "struct a {\n" + "    int b;\n" * 100 + "};\n"),
    "a header of 150 declarations": good_file(
        "include/hocket/a.h", "/* prose\n * prose */\n\n" * 50 + "int a;\n" * 150),
    "a header of 151 declarations": bad_file("include/hocket/a.h", "int a;\n" * 151,
                                             "151 lines of declarations"),
    "an example of 61 lines": bad_file("examples/a.c", "int a;\n" * 61, "61 lines, at most 60"),
    "a Python function of 61 lines": bad_file(
        "tools/a.py", "def f():\n" + "    x()\n" * 60, "f has 61 lines"),
    "an empty tree": bad("check-lengths", {}, "found no files"),
})
