/* SPDX-License-Identifier: MIT */
/* Processes: a function of this program runs in a process of its own.
 *
 *     struct greeting greeting = { .name = "World" };
 *     hkt_process *child;
 *     int err = hkt_process_spawn(&child, greet, HKT_ITEM(greeting), NULL);
 *     if (err == 0)
 *         err = hkt_process_finish(child);
 *
 * The function is any of the program, a static one too, or of a library that it has loaded. Its
 * argument is a struct that is copied into the child: values, and pointers to shared memory
 * (shared.h), which lies at the same address in all processes of the family; other pointers mean
 * nothing there. What several are to change lies in shared memory, too.
 *
 * A child ends with its parent: when that is killed, within a second; so do its own children. Its
 * death is told by its parent's, or a waiter's, and never by SIGCHLD; children of others are not
 * touched. The model is multiprocessing.Process. */
#ifndef HOCKET_PROCESS_H
#define HOCKET_PROCESS_H

#include <hocket/future.h>
#include <hocket/item.h>
#include <hocket/thread.h>

HKT_BEGIN_DECLS

typedef struct hkt_process hkt_process;

/* How a child begins. */
typedef enum hkt_start_method {
    HKT_START_DEFAULT = 0, /* as hkt_process_set_start_method says; at first the fork server */
    HKT_START_FORKSERVER =
        1,               /* by a clean process of one thread, made from the program's file at the
                                  first use, which forks when asked: main has not run in it */
    HKT_START_SPAWN = 2, /* the program anew: its constructors run, and main does not */
    HKT_START_FORK = 3,  /* a copy of the caller, with all that it has; only while the caller's
                                  is the one thread, hocket's own at rest not counted */
} hkt_start_method;

typedef struct hkt_process_options {
    const char *name;        /* copied; NULL: "Process-N" */
    hkt_start_method method; /* of its start */
    bool daemon;             /* ended by SIGTERM when its parent exits; others are waited for by
                                 hkt_join_all, and by exit for a second: then they end with it */
    bool with_threads;       /* HKT_START_FORK all the same while other threads run: the child must
                                 call nothing of hocket that waits, and no malloc-like library that
                                 is not made for forks */
    const int *pass_fds;     /* the child has these, by the same numbers, and no others but 0, 1, 2;
                                 a copy by fork has all of them */
    size_t pass_fd_count;
    uint64_t reserved[4]; /* zero */
} hkt_process_options;

/* Makes a process, which runs nothing yet; `size` bytes from `arg` on are copied now; 0: `arg` is NULL
 * or lies in shared memory, and is handed on as it is. 0; -ENOMEM; -EINVAL for an unknown method,
 * without a function, or for an `arg` of no size that is neither. (Process) */
HKT_API HKT_MUST_USE int hkt_process_create(hkt_process **process, hkt_job *function,
                                            const void *arg, size_t size,
                                            const hkt_process_options *options);

/* Starts it: 0; -EALREADY the second time; -EAGAIN, -ENOMEM, -EMFILE: the system gives no
 * process, memory or fds, and it may be tried again; -ENOSYS: the program was linked without
 * hocket's start object (the sentence has the line to link with), or the system lacks what it
 * takes; -EBUSY: a fork while other threads run, in a child that was made by such a fork, or in a
 * job on a coroutine; -ENOEXEC: the program's file is of another build by now, or the function is
 * of no module that can be found again; -ESRCH: the function is unknown. Each with a sentence.
 * Waits for the start itself, which is no cancellation point. (Process.start) */
HKT_API HKT_MUST_USE int hkt_process_start(hkt_process *process);

/* Both at once. */
HKT_API HKT_MUST_USE int hkt_process_spawn(hkt_process **process, hkt_job *function,
                                           const void *arg, size_t size,
                                           const hkt_process_options *options);

/* Waits for its end: 0, again and again and by many, and for NULL; -EINVAL before its start;
 * -ECANCELED, -ETIMEDOUT: it runs on. Of the parent (hkt_process_parent) it waits for that.
 * Cancellation points. (Process.join) */
HKT_API int hkt_process_join(hkt_process *process);
HKT_API int hkt_process_join_until(hkt_process *process, hkt_deadline deadline);

/* Ended: 0 and how in *code: what its function returned, if that was 0 to 255; else 1, and a
 * negative result is reported; what it gave to exit; minus the number of the signal that ended it.
 * -EBUSY: it runs; -EINVAL before its start. Never waits. (Process.exitcode) */
HKT_API int hkt_process_exit_code(hkt_process *process, int *code);

/* Ended: 0 and what its function returned, of a failure with its sentence, for hkt_sentence;
 * -EOWNERDEAD in *result if it ended otherwise than by return, the sentence says how. -EBUSY,
 * -EINVAL as above. Never waits. */
HKT_API int hkt_process_result(hkt_process *process, int *result);

/* Has it been started, and not ended? (Process.is_alive) */
HKT_API bool hkt_process_is_alive(hkt_process *process);

/* Waits for its end, gives the handle back, and returns what its function returned, with its
 * sentence; -EOWNERDEAD if it ended otherwise than by return. -ECANCELED, -EINVAL as of join: the
 * handle stays. NULL: 0. A cancellation point. */
HKT_API HKT_MUST_USE int hkt_process_finish(hkt_process *process);

/* Sends it SIGTERM, SIGKILL, SIGINT, or any signal: 0, also when it has ended; -EINVAL before its
 * start. It alone: its own children end when it has. Never another process that has got its
 * number. (Process.terminate, kill, interrupt) */
HKT_API int hkt_process_terminate(hkt_process *process);
HKT_API int hkt_process_kill(hkt_process *process);
HKT_API int hkt_process_interrupt(hkt_process *process);
HKT_API int hkt_process_send_signal(hkt_process *process, int signo);

/* Gives the handle back; NULL is fine. A process that runs goes on, and is waited for when its
 * parent exits, unless it is a daemon. */
HKT_API void hkt_process_destroy(hkt_process *process);
/* The same, but one that runs is left alone: -EBUSY. (Process.close) */
HKT_API int hkt_process_close(hkt_process *process);

/* An fd that is readable from its end on, to be waited for beside others (hkt_wait_many); the
 * process's own, valid until it is destroyed. -EINVAL before its start. (Process.sentinel) */
HKT_API int hkt_process_sentinel(hkt_process *process);

/* Its number, 0 before its start; its name; is it a daemon? (Process.pid, name, daemon) */
HKT_API int hkt_process_pid(const hkt_process *process);
HKT_API const char *hkt_process_name(const hkt_process *process);
HKT_API bool hkt_process_daemon(const hkt_process *process);

/* The calling process, and its parent: not yours to destroy. The parent is NULL in a process that
 * hocket did not start. (current_process, parent_process) */
HKT_API hkt_process *hkt_process_current(void);
HKT_API hkt_process *hkt_process_parent(void);

/* The caller's children that have been started and have not ended, `room` at the most, in the order
 * of their starts: how many there are. Each that is written down stays until hkt_process_destroy,
 * which is then owed once more. (active_children) */
HKT_API size_t hkt_process_active_children(hkt_process *children[], size_t room);

/* The way that HKT_START_DEFAULT stands for: 0, -EINVAL. To be set once, early. (set_start_method,
 * get_start_method) */
HKT_API int hkt_process_set_start_method(hkt_start_method method);
HKT_API hkt_start_method hkt_process_start_method(void);
/* Those that work in this program, the default first, `room` at the most: how many.
 * (get_all_start_methods) */
HKT_API size_t hkt_process_start_methods(hkt_start_method methods[], size_t room);
/* "forkserver", "spawn", "fork", "default". */
HKT_API const char *hkt_start_method_name(hkt_start_method method);

/* Called once by the fork server when it begins, in the server: what all its children will have. 0;
 * -EALREADY when it has begun. (set_forkserver_preload) */
HKT_API int hkt_forkserver_set_preload(void (*function)(void));

/* Processors of the machine; those that this process may use, by affinity and the quota of its
 * control group. At least 1. (cpu_count, os.process_cpu_count) */
HKT_API unsigned hkt_cpu_count(void);
HKT_API unsigned hkt_process_cpu_count(void);

HKT_END_DECLS
#endif
