/* SPDX-License-Identifier: MIT */
/* Context variables: values that go with the work. Each strand (a thread, a job) has its own, and
 * what it starts begins with the values that it has at that time: so a job knows for which request
 * it works, and nobody has to pass that through every call.
 *
 *     static hkt_context_var *request;                 made once, at the start of the program
 *
 *     hkt_context_token token;
 *     int err = hkt_context_set(request, &mine, &token);
 *     if (err == 0) {
 *         err = serve();                               it, and its jobs: hkt_context_get(request)
 *         hkt_context_reset(&token);
 *     }
 *
 * All values that a strand has are its context. Handing it on costs the same however many there
 * are; after that each side changes its own. A thread of hkt_thread or hkt_timer starts with an
 * empty one: hand it a copy to run in. The model is Python's contextvars. */
#ifndef HOCKET_CONTEXT_H
#define HOCKET_CONTEXT_H

#include <hocket/export.h>

HKT_BEGIN_DECLS

typedef struct hkt_context_var hkt_context_var;

/* Makes a variable. `initial` is its value where none was set; `name`, which is copied, and cut to
 * 63 bytes, is for whoever looks at it; NULL: "". Make variables once and keep them: contexts that
 * have a value for one keep that place, also when it is gone. 0 or -ENOMEM. (ContextVar) */
HKT_API HKT_MUST_USE int hkt_context_var_create(hkt_context_var **var, const char *name,
                                                void *initial);

/* Forgets the variable. What its values lead to is yours. NULL is fine. */
HKT_API void hkt_context_var_destroy(hkt_context_var *var);

/* Its name. (ContextVar.name) */
HKT_API const char *hkt_context_var_name(const hkt_context_var *var);

/* The value in the calling strand's context, else the initial one. It looks through the values
 * that were set, the last one first. Never waits. (ContextVar.get) */
HKT_API void *hkt_context_get(const hkt_context_var *var);

/* What there was before a set. Yours, on the stack as a rule; not to be copied. */
typedef struct hkt_context_token {
    uint64_t hkt_private[4];
} hkt_context_token;

/* Sets it in the calling strand's context. `token`, unless NULL, remembers what was there, and the
 * memory to bring it back is set aside, until the reset or the end of the context: pass NULL if it
 * will not be reset. 0; -ENOMEM, and then nothing has changed, and a reset of the token says
 * -EALREADY. (ContextVar.set) */
HKT_API HKT_MUST_USE int hkt_context_set(hkt_context_var *var, void *value,
                                         hkt_context_token *token);

/* Brings back what was there before the set that the token is of, whatever was set since; the
 * variable may be gone. Needs no memory. 0; -EALREADY: it was used before; -EINVAL: that set was in
 * another context. (ContextVar.reset) */
HKT_API int hkt_context_reset(hkt_context_token *token);

/* A context of its own, to run things in. */
typedef struct hkt_context hkt_context;

/* A copy of the calling strand's context as it is now; later changes there do not show in it. Costs
 * the same however many values there are. 0 or -ENOMEM. (copy_context) */
HKT_API HKT_MUST_USE int hkt_context_copy(hkt_context **copy);

/* Calls job(arg) in this context, here and now: it sees its values, and what it sets stays in it,
 * for the next run, and does not show outside. From any thread. What the job returns, or -EBUSY: it
 * is being run, here or elsewhere. (Context.run) */
HKT_API int hkt_context_run(hkt_context *context, int (*job)(void *), void *arg);

/* Gives it back; NULL is fine. While it is being run: misuse (abort). */
HKT_API void hkt_context_destroy(hkt_context *context);

HKT_END_DECLS
#endif
