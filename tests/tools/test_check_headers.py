# SPDX-License-Identifier: MIT
"""tools/check-headers finds headers that do not stand alone."""
from trees import bad, good, main


def good_header(text):
    return good("check-headers", {"include/hocket/a.h": text})


def bad_header(text, said):
    return bad("check-headers", {"include/hocket/a.h": text}, said)


main({
    "a good header": good_header("#include <stddef.h>\n#define HKT_A 1\nsize_t hkt_a(void);\n"),
    "one that needs another": bad_header("size_t hkt_a(void);\n", "include/hocket/a.h:0: gcc"),
    "C only": bad_header("int hkt_a(int class);\n", "-std=c++11"),
    "C++ only": bad_header("class a;\n", "-std=c11"),
    "an extension": bad_header("struct a { int b; struct { int c; }; int d[0]; };\n", "-std="),
    "_Atomic": bad_header("#ifndef __cplusplus\nextern _Atomic int hkt_a;\n#endif\n",
                          "_Atomic has no place"),
    "a macro of a common name": bad_header("#define max(a, b) 1\n", "#define max has no place"),
    "no headers": bad("check-headers", {}, "found no compilations"),
})
