/* SPDX-License-Identifier: MIT */
/* What threads do right now, seen from outside, at any time. */
#ifndef HOCKET_THREAD_STATE_H
#define HOCKET_THREAD_STATE_H

#include <hocket/export.h>
#include <hocket/thread.h>

HKT_BEGIN_DECLS

/* The five states of a thread's life. */
typedef enum hkt_thread_state {
    HKT_THREAD_NEW,           /* made, not started */
    HKT_THREAD_RUNNABLE,      /* runs, or could if it had a processor; also in foreign waits */
    HKT_THREAD_BLOCKED,       /* waits in hocket, as long as it takes */
    HKT_THREAD_TIMED_WAITING, /* waits in hocket, with a deadline */
    HKT_THREAD_TERMINATED,    /* has ended */
} hkt_thread_state;

typedef struct hkt_thread_info {
    uint64_t ident;
    int native_id; /* from hkt_thread_enumerate, 0 while it has not begun */
    bool daemon;
    bool foreign; /* not made by hocket */
    hkt_thread_state state;
    const char *waits_for; /* "lock", "queue: room", "sleep", ...; NULL when it does not wait */
    const void *object;    /* what it waits for, as far as that has an address */
    double since;          /* hkt_monotonic() when it began to wait */
    char name[HKT_NAME_MAX];
    uint64_t reserved[3];
} hkt_thread_info;

/* The state in words: "new", "runnable", "blocked", "timed waiting", "terminated". */
HKT_API const char *hkt_thread_state_name(hkt_thread_state state);

/* What the thread does now. Never waits, but for a thread that was just started to begin. */
HKT_API void hkt_thread_get_info(const hkt_thread *thread, hkt_thread_info *info);
HKT_API hkt_thread_state hkt_thread_get_state(const hkt_thread *thread);

/* All threads alive that hocket knows, daemons and foreign ones too, the oldest first: their
 * number, of which the first `n` are written to `infos`. (enumerate, active_count) */
HKT_API size_t hkt_thread_enumerate(hkt_thread_info *infos, size_t n);
HKT_API size_t hkt_thread_active_count(void);

/* Writes a line for each thread alive to the report sink: name, state, what it waits for and since
 * when. Not for signal handlers. */
HKT_API void hkt_thread_report_all(void);

/* From now on the signal `signo` (SIGQUIT, say) makes that report; a daemon thread of hocket's
 * writes it. 0, -EALREADY, -EINVAL for a signal that cannot be caught, -EMFILE, -EAGAIN, -ENOMEM.
 */
HKT_API int hkt_thread_report_on_signal(int signo);

HKT_END_DECLS
#endif
