/* SPDX-License-Identifier: MIT */
/* A task group's child, as the code that makes and runs its future sees it. */
#ifndef HKTI_EXEC_MEMBER_H
#define HKTI_EXEC_MEMBER_H

#include "exec/future.h"

/* One line. All of it under the group's guard. */
struct hkti_member {
    struct hkti_watch watch; /* of its future */
    struct hkti_node node;   /* in the group's list of pending or begun ones */
    struct hkti_group *group;
    struct hkti_scope *scope; /* while its job runs */
    hkt_future *future;
};

/* Its future has been made, and nobody else has seen it: it watches it. */
void hkti_member_join(struct hkti_member *member, hkt_future *future);
/* Its engine has refused the future: taken out again; false if somebody has begun it, who ends it too. */
bool hkti_member_withdraw(struct hkti_member *member, hkt_future *future);
/* Its job begins, in this scope: false if the group has ended, and it must not. */
bool hkti_member_begin(struct hkti_member *member, struct hkti_scope *scope);
/* Has its group ended, so that it must not begin? For engines in another address space. */
bool hkti_member_has_ended(const struct hkti_member *member);
/* Its job has returned. */
void hkti_member_end(struct hkti_member *member);

#endif
