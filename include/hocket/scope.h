/* SPDX-License-Identifier: MIT */
/* Scopes: how waiting is cut short. A scope is a block of code with a deadline, or that somebody
 * may cancel, or both. In an ended scope every cancellable wait returns -ECANCELED, at once and
 * every time, until the block is left; so each function on the way out just returns its error.
 *
 *     hkt_scope scope;
 *     hkt_scope_enter(&scope, &(hkt_scope_options){ .deadline = hkt_after(2.0) });
 *     int err = fetch_all(list);
 *     int end = hkt_scope_leave(&scope);
 *     if (end == -ETIMEDOUT)
 *         puts("gave up after two seconds");
 *
 * Scopes nest. The end of an outer scope ends the inner ones too, unless they are shielded: a
 * shielded scope lets clean-up finish, best with a deadline of its own. The model is trio's cancel
 * scope; asyncio.timeout and Task.cancel are both said with it. */
#ifndef HOCKET_SCOPE_H
#define HOCKET_SCOPE_H

#include <hocket/export.h>
#include <hocket/time.h>

HKT_BEGIN_DECLS

/* Yours, on the stack as a rule; set up by hkt_scope_enter. */
typedef struct hkt_scope {
    uint64_t hkt_private[8];
} hkt_scope;

typedef struct hkt_scope_options {
    hkt_deadline deadline; /* {0}: none */
    bool shield;           /* the end of scopes around this one does not reach into it */
    uint64_t reserved[2];  /* zero */
} hkt_scope_options;

/* The calling thread enters `scope`; NULL options: no deadline, no shield. Scopes are left in the
 * opposite order, by the thread that entered them. Not a cancellation point. */
HKT_API void hkt_scope_enter(hkt_scope *scope, const hkt_scope_options *options);

/* Leaves the innermost scope, which must be `scope` (else abort). 0 if it did not end, -ECANCELED
 * if hkt_scope_cancel ended it, -ETIMEDOUT if its own deadline ended it: that is, if a wait or a
 * checkpoint in it found the deadline passed. The first of the two counts. What an outer scope did
 * is not told here. */
HKT_API int hkt_scope_leave(hkt_scope *scope);
/* The same, with what came out of the block: -ETIMEDOUT in place of -ECANCELED if this scope's
 * own deadline ended it, else `result` as it is. So a deadline for one call is
 *
 *     hkt_scope_enter(&scope, &(hkt_scope_options){ .deadline = hkt_after(2.0) });
 *     return hkt_scope_leave_with(&scope, hkt_stream_read_line(stream, line, sizeof line));
 *
 * (asyncio.timeout) */
HKT_API int hkt_scope_leave_with(hkt_scope *scope, int result);

/* Ends the scope: its waits return -ECANCELED from now on. From any thread, as often as you like;
 * of a scope that has been left it does nothing, as long as the memory is there. Never waits. Not
 * for signal handlers. */
HKT_API void hkt_scope_cancel(hkt_scope *scope);

/* Has this very scope ended, by cancel or by a deadline that a wait found passed? */
HKT_API bool hkt_scope_cancelled(const hkt_scope *scope);

/* A new deadline; {0} takes it away. An ended scope stays ended. From any thread, until the scope
 * is left. (asyncio.Timeout.reschedule) */
HKT_API void hkt_scope_reschedule(hkt_scope *scope, hkt_deadline deadline);

/* 0, or -ECANCELED if a scope around the caller has ended or its deadline has passed: for long
 * computations, which wait for nothing. Never waits. (trio.lowlevel.checkpoint_if_cancelled) */
HKT_API int hkt_checkpoint(void);

HKT_END_DECLS
#endif
