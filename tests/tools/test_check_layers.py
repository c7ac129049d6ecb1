# SPDX-License-Identifier: MIT
"""tools/check-layers finds includes that go up, and those that reach in."""
from trees import bad, good, main

TREE = {
    "include/hocket.h": "#include <hocket/lock.h>\n",
    "include/hocket/lock.h": "#include <stdint.h>\n",
    "src/base/list.h": "",
    "src/park/wait.h": '#include "base/list.h"\n',
    "src/sync/lock.c": '#include <hocket/lock.h>\n#include "sync/lock.h"\n#include "park/wait.h"\n',
    "src/sync/lock.h": "",
    "tests/harness/test.h": "",
    "tests/api/test_lock.c": '#include <hocket.h>\n#include "test.h"\n',
    "tests/unit/test_list.c": '#include "base/list.h"\n#include "test.h"\n',
    "cli/main.c": '#include <hocket.h>\n#include "cli.h"\n/* #include "base/list.h" */\n',
    "cli/cli.h": "",
}


def with_file(path, text):
    return TREE | {path: text}


def bad_file(path, text, said):
    return bad("check-layers", with_file(path, text), said)


main({
    "a good tree": good("check-layers", TREE),
    "an empty tree": bad("check-layers", {}, "found no files"),
    "upwards": bad_file("src/base/x.c", '#include "sync/lock.h"\n',
                        "src/base/x.c:1: base is below sync"),
    "the right line": bad_file("src/park/x.c", '\n/*\n*/\n#include "sync/lock.h"\n', "x.c:4:"),
    "an unknown layer": bad_file("src/attic/x.c", '#include "base/list.h"\n', "not a layer"),
    "a parent folder": bad_file("src/sync/x.c", '#include "../base/list.h"\n', "from src/ on"),
    "src by angle brackets": bad_file("src/sync/x.c", "#include <base/list.h>\n",
                                      "not a public header"),
    "a public header in quotes": bad_file("src/sync/x.c", '#include "hocket/lock.h"\n',
                                          "write <hocket/lock.h>"),
    "a command that sees src": bad_file("cli/x.c", '#include "base/list.h"\n',
                                        "base/list.h is not a public header"),
    "a command that reaches in": bad_file("cli/x.c", '#include "../src/base/list.h"\n',
                                          "is in src/"),
    "an example that sees src": bad_file("examples/x.c", "#include <base/list.h>\n",
                                         "not a public header"),
    "a contract that sees src": bad_file("tests/contract/x.c", '#include "park/wait.h"\n',
                                         "not a public header"),
    "a header that sees src": bad_file("include/hocket/x.h", "#include <base/list.h>\n",
                                       "not a public header"),
    "a header that quotes": bad_file("include/hocket/x.h", '#include "lock.h"\n',
                                     "public headers include"),
    "a header that is not there": bad_file("include/hocket/x.h", "#include <hocket/no.h>\n",
                                           "no public header hocket/no.h"),
    "a helper for tests": good("check-layers", with_file("tests/harness/wait.h",
                                                         "#include <hocket.h>\n")),
    "a helper that sees src": bad_file("tests/harness/wait.h", '#include "base/list.h"\n',
                                       "not a public header"),
    "a harness that knows hocket": bad_file("tests/harness/x.c", "#include <hocket.h>\n",
                                            "knows nothing"),
})
