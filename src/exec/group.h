/* SPDX-License-Identifier: MIT */
/* The task group inside: task_group.c has its rules. */
#ifndef HKTI_EXEC_GROUP_H
#define HKTI_EXEC_GROUP_H

#include "exec/executor.h"
#include "exec/member.h"
#include "park/wait.h"

/* What hkt_task_group is; all zero at first. */
struct __attribute__((may_alias)) hkti_group {
    struct hkti_scope scope; /* of the body */
    uint32_t guard;
    uint32_t ended; /* by a failure or a cancel; atomic */
    uint32_t phase;
    bool outer; /* a scope around it has ended */
    hkt_executor *executor;
    size_t limit, count; /* count is atomic */
    double patience;
    struct hkti_node pending, begun; /* its members */
    struct hkti_wait_list owner, room;
    struct hkti_wanted wanted;
    int err; /* the first failure */
    char sentence[HKT_SENTENCE_MAX];
};

#endif
