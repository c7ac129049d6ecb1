/* SPDX-License-Identifier: MIT */
/* Pools, as the end of the process sees them. */
#ifndef HKTI_EXEC_EXIT_H
#define HKTI_EXEC_EXIT_H

#include <hocket/executor.h>

#include "base/list.h"

struct hkti_exit_entry {
    struct hkti_node node;
    bool visited;
    bool daemon; /* it is not waited for */
    hkt_executor *executor;
    /* What is left to be done when its jobs have ended, or have not in time; NULL: nothing. */
    void (*finish)(hkt_executor *executor, bool ended);
    const char *name;
};

/* The end of the process waits a little for the pool from now on; and no more. */
void hkti_exit_add(struct hkti_exit_entry *entry);
void hkti_exit_remove(struct hkti_exit_entry *entry);
/* What is done at the end: for who must have it done before something else is. */
void hkti_exit_run(void);

#endif
