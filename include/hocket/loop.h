/* SPDX-License-Identifier: MIT */
/* Event loops: one thread that runs many tasks in turn. A task is a job on a stack of its own, a
 * coroutine; each wait of hocket parks it, and the thread goes on with another one. Most
 * programs need none of this page: hkt_run (hocket/run.h) makes a loop and ends it.
 *
 * A loop belongs to the thread that makes it: that one runs it, and calls everything here,
 * except what says otherwise. Several threads may each have a loop; locks, queues, futures and
 * events work between them, and between them and plain threads. The model is asyncio's event
 * loop. */
#ifndef HOCKET_LOOP_H
#define HOCKET_LOOP_H

#include <hocket/executor.h>

HKT_BEGIN_DECLS

typedef struct hkt_loop hkt_loop;

typedef struct hkt_loop_options {
    const char *name;  /* for reports; copied; NULL: "loop" */
    size_t stack_size; /* bytes, of each task; 0: 64 KiB; -EINVAL below 16 KiB or above 64 MiB */
    double grace;      /* seconds that tasks have to end in after they were cancelled at the end of
                             the loop; then the report sink is told, and they are left; 0: 5 */
    bool debug;        /* as by hkt_loop_set_debug */
    uint64_t reserved[4]; /* zero */
} hkt_loop_options;

/* NULL options: the defaults. 0, -ENOMEM, -EINVAL. (new_event_loop) */
HKT_API HKT_MUST_USE int hkt_loop_create(hkt_loop **loop, const hkt_loop_options *options);

/* Cancels the tasks that are left, waits for them for as long as the grace says, and gives all
 * back; NULL is fine. What a task that ignores it needs stays, with a line of report. Not while
 * it runs. (loop.close) */
HKT_API void hkt_loop_destroy(hkt_loop *loop);

/* Runs job(arg) as a task, and all others meanwhile, until that one has ended: its result, with
 * its sentence. If the caller's scope ends, the task is cancelled. -EBUSY: the loop runs, or the
 * caller is himself a task or a pool's job; -ENOMEM. May be called again. A cancellation point.
 * (loop.run_until_complete) */
HKT_API HKT_MUST_USE int hkt_loop_run(hkt_loop *loop, hkt_job *job, void *arg);

/* Runs tasks and callbacks until hkt_loop_stop: 0, then or if it was told so before. -ECANCELED:
 * the caller's scope has ended. -EBUSY. A cancellation point. (loop.run_forever) */
HKT_API HKT_MUST_USE int hkt_loop_run_forever(hkt_loop *loop);

/* Ends hkt_loop_run_forever after the turn that the loop is in; of hkt_loop_run it does nothing.
 * From any thread. (loop.stop) */
HKT_API void hkt_loop_stop(hkt_loop *loop);

/* Does it run? From any thread. (loop.is_running) */
HKT_API bool hkt_loop_is_running(const hkt_loop *loop);

/* The loop that the calling task or callback is in; NULL: in none. (get_running_loop) */
HKT_API hkt_loop *hkt_loop_running(void);

/* The loop as an executor: what is submitted to it, from any thread, runs as a task of the loop. It
 * lives and ends with the loop. After hkt_executor_close it takes no jobs from other threads.
 * (run_coroutine_threadsafe) */
HKT_API hkt_executor *hkt_loop_executor(hkt_loop *loop);

/* Debug mode: what runs longer than 0.1 s without a wait is reported, with the task's name, when
 * it gives way. `slow` in seconds; 0: 0.1; off costs nothing. (loop.set_debug,
 * slow_callback_duration) */
HKT_API void hkt_loop_set_debug(hkt_loop *loop, bool on, double slow);

/* Callbacks. They are jobs that run in turn with the tasks, and may wait as these do; a negative
 * result goes to the report sink, and the loop goes on. A handle is yours and stays until it has
 * been called or cancelled; all zero at first; may be used again when it is not pending. NULL:
 * none is wanted. */
typedef struct hkt_handle {
    uint64_t hkt_private[16];
} hkt_handle;

/* After those that are ready now. From any thread; handles by the loop's thread alone. 0; -ENOMEM
 * without a handle; -EALREADY: the handle is pending; -ESHUTDOWN: the loop is at its end.
 * (loop.call_soon, call_soon_threadsafe) */
HKT_API int hkt_loop_call_soon(hkt_loop *loop, hkt_handle *handle, hkt_job *callback, void *arg);

/* After so many seconds, or at that time; those of an earlier time first, of equal times in the
 * order in which they were set. 0, -ENOMEM, -EALREADY; NaN is misuse. (loop.call_later, call_at) */
HKT_API int hkt_loop_call_later(hkt_loop *loop, hkt_handle *handle, double seconds,
                                hkt_job *callback, void *arg);
HKT_API int hkt_loop_call_at(hkt_loop *loop, hkt_handle *handle, hkt_deadline when,
                             hkt_job *callback, void *arg);

/* It will not be called: true; false if it was not pending. The memory is yours again.
 * (Handle.cancel) */
HKT_API bool hkt_handle_cancel(hkt_handle *handle);

/* Is it to be called? When, if at a time; {0} else. (TimerHandle.when) */
HKT_API bool hkt_handle_pending(const hkt_handle *handle);
HKT_API hkt_deadline hkt_handle_when(const hkt_handle *handle);

/* Calls callback(arg) whenever the fd is ready for one of `events` (HKT_READABLE, HKT_WRITABLE:
 * one of them), again and again, until it is taken back; one for each fd and direction, the last
 * one counts. The callback should take what is there: it is called again as long as the fd is
 * ready. 0, -ENOMEM, -EINVAL. To take it back: true if there was one; it will not be called
 * again. The fd is closed after that, not before. (loop.add_reader, add_writer, remove_reader,
 * remove_writer) */
HKT_API int hkt_loop_add_watcher(hkt_loop *loop, int fd, unsigned events, hkt_job *callback,
                                 void *arg);
HKT_API bool hkt_loop_remove_watcher(hkt_loop *loop, int fd, unsigned events);

/* Calls callback(arg) when signal `signo` has come, once for those that came meanwhile. One loop
 * and one callback a signal: -EALREADY. -EINVAL for what cannot be caught, -EMFILE, -ENOMEM.
 * Taken back, the signal has its default action again: true if there was one.
 * (loop.add_signal_handler, remove_signal_handler) */
HKT_API int hkt_loop_add_signal_handler(hkt_loop *loop, int signo, hkt_job *callback, void *arg);
HKT_API bool hkt_loop_remove_signal_handler(hkt_loop *loop, int signo);

/* For loops of others (GLib, libuv): an fd that is readable when the loop has something to do,
 * also for its timers; then hkt_loop_step does it, without waiting, for a bounded time: how many
 * tasks and callbacks went on, or a negative errno. Both by the loop's thread, outside tasks;
 * not while hkt_loop_run runs: -EBUSY. hkt_loop_fd: -EMFILE, -ENFILE, -ENOMEM; the fd is the
 * loop's. */
HKT_API HKT_MUST_USE int hkt_loop_fd(hkt_loop *loop);
HKT_API int hkt_loop_step(hkt_loop *loop);

HKT_END_DECLS
#endif
