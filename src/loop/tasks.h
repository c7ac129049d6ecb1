/* SPDX-License-Identifier: MIT */
/* All tasks of a loop, seen from its own thread. */
#ifndef HKTI_LOOP_TASKS_H
#define HKTI_LOOP_TASKS_H

#include "loop/loop.h"

/* `strand`: that of a task that has begun; NULL. It must not begin, end or wake tasks other than
 * by a cancel. */
typedef void hkti_task_visitor(void *context, struct hkti_task *task, struct hkti_strand *strand);
size_t hkti_tasks_visit(hkt_loop *loop, hkti_task_visitor *visit, void *context);

#endif
