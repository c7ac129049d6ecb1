/* SPDX-License-Identifier: MIT */
/* For locks of processes: a test begins a family of processes, so it ends with hkt_finalize, after
 * which nothing of that is left. */
#ifndef HOCKET_TEST_SHARED_SUBJECT_H
#define HOCKET_TEST_SHARED_SUBJECT_H

#include <hocket/memory.h>

#include "test.h"

#undef TEST_DEFINE
#define TEST_DEFINE(name, seconds, sentence)                                                       \
    static void body_of_##name(void);                                                              \
    static void test_body_##name(void)                                                             \
    {                                                                                              \
        body_of_##name();                                                                          \
        CHECK_EQ(hkt_finalize(), 0);                                                               \
    }                                                                                              \
    static struct test_case test_case_##name = { #name, test_body_##name, seconds, sentence,       \
                                                 NULL };                                           \
    __attribute__((constructor)) static void test_register_##name(void)                            \
    {                                                                                              \
        test_register(&test_case_##name);                                                          \
    }                                                                                              \
    static void body_of_##name(void)

#endif
