/* SPDX-License-Identifier: MIT */
/* Which function: a name for a function that another process of the family understands.
 *
 * The modules of the program (itself, and the libraries it has loaded) are in a table in the arena,
 * each with its file and its build id, or a hash of its executable segments if it has none. A
 * function's name is its module's number there and its distance from the module's beginning. Who
 * gets one finds the module among its own, loads the library if it has not got it, and refuses one of
 * another build. Both ways are remembered: a second look costs some nanoseconds. A library of which
 * a function has been named stays loaded, so what is remembered stays true.
 *
 * Who may touch what: a place in the table is taken by compare-and-swap, the first free one; it is
 * written once, before its state is READY (pairs: modules). Who dies in between leaves one unused. */
#ifndef HKTI_PROC_IDENTITY_H
#define HKTI_PROC_IDENTITY_H

#include <hocket/future.h>

#include "proc/family.h"

/* 0: none. */
typedef uint64_t hkti_function_name;

#define HKTI_MODULES_MAX 64 /* of which functions have been named */
#define HKTI_BUILD_ID_MAX 32

/* What is in the arena; all zero is empty. */
struct hkti_module {
    uint32_t state;
    uint16_t id_size;
    uint16_t program; /* 1: the program itself, 0: a library */
    unsigned char id[HKTI_BUILD_ID_MAX];
    char path[512 - 8 - HKTI_BUILD_ID_MAX];
};
struct hkti_process_record;
struct hkti_modules {
    struct hkti_module module[HKTI_MODULES_MAX];
    struct hkti_process_record *records[HKTI_FAMILY_MAX]; /* of records.c */
};

/* 0; -ESRCH: no module has it, -ENOMEM, each with a sentence. */
int hkti_function_encode(hkt_job *function, hkti_function_name *name);
/* 0; -ENOEXEC: it is of another build, or the library cannot be loaded; the sentence says which. */
int hkti_function_decode(hkti_function_name name, hkt_job **function);

/* The arena is gone: so are the names. No other thread may be at it. */
void hkti_function_forget(void);

#endif
