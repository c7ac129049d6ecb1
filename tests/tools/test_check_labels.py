# SPDX-License-Identifier: MIT
"""tools/check-labels finds operations without label, and labels without partner."""
from trees import bad, good, main

RELEASE = "hkti_store_release(&a, 1); /* pairs: a */\n"
ACQUIRE = "x = hkti_load_acquire(&a); /* pairs: a */\n"


def tree(text):
    return {"src/sync/a.c": text}


def good_text(text):
    return good("check-labels", tree(text))


def bad_text(text, said):
    return bad("check-labels", tree(text), said)


main({
    "a pair": good_text(RELEASE + ACQUIRE),
    "a pair in two files": good("check-labels", {"src/sync/a.c": RELEASE,
                                                 "src/park/b.c": ACQUIRE}),
    "labels on the line before": good_text(
        "/* pairs: a */\nhkti_store_release(&a, 1);\n/* because; pairs: a */\n" + ACQUIRE),
    "a label at the end of the statement": good_text(
        RELEASE + "if (hkti_cas_acquire(&a, 1,\n    2))\n    go(); /* pairs: a; taken */\n"),
    "two names": good_text("hkti_exchange_acq_rel(&a, 1); /* pairs: a, b */\n" + RELEASE
                           + "x = hkti_load_seq_cst(&b); /* pairs: b */\n"),
    "relaxed ones need none": good_text(RELEASE + ACQUIRE + "hkti_fetch_add_relaxed(&a, 1);\n"),
    "two that do both": good_text("hkti_fetch_or_seq_cst(&a, 1); /* pairs: a */\n" * 2),
    "atomic.h itself": good("check-labels", tree(RELEASE + ACQUIRE) | {
        "src/base/atomic.h": "__atomic_load_n(p, 2); hkti_load_acquire(p);\n"}),
    "nothing to look at": bad("check-labels", {"src/base/a.c": "int a;\n"},
                              "found no operations"),
    "no label": bad_text(RELEASE + ACQUIRE + "\nx = hkti_load_acquire(&a);\n",
                         "src/sync/a.c:4: no label at hkti_load_acquire"),
    "a fence without label": bad_text(RELEASE + ACQUIRE + "hkti_fence_seq_cst();\n",
                                      "no label at hkti_fence_seq_cst"),
    "the label of the statement before": bad_text(
        RELEASE + ACQUIRE + "x = hkti_load_acquire(&a);\n", "a.c:3: no label"),
    "alone": bad_text(RELEASE, "the label a has no partner"),
    "two that release": bad_text(RELEASE * 2, "no other place that acquires"),
    "two that acquire": bad_text(ACQUIRE * 2, "no other place that releases"),
    "two names that differ": bad_text(RELEASE + "x = hkti_load_acquire(&b); /* pairs: b */\n",
                                      "the label b has no partner"),
    "one that does both pairs with itself": good_text(
        "hkti_fetch_add_acq_rel(&a, -1); /* pairs: a */\n"),
    "a seq_cst load does not": bad_text("x = hkti_load_seq_cst(&a); /* pairs: a */\n",
                                        "has no partner"),
    "a builtin elsewhere": bad_text(RELEASE + ACQUIRE + "__atomic_load_n(&a, 0);\n",
                                    "a.c:3: __atomic_load_n is for"),
    "C11's atomics": bad_text(RELEASE + ACQUIRE + "_Atomic int a;\n", "_Atomic is for"),
})
