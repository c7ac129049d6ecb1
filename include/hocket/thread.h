/* SPDX-License-Identifier: MIT */
/* Threads.
 *
 *     hkt_thread *worker;
 *     int err = hkt_thread_spawn(&worker, count_words, &book, NULL);
 *     ...
 *     hkt_thread_join(worker);
 *     hkt_thread_destroy(worker);
 *
 * A thread runs `int function(void *arg)`: 0, or a negative errno, perhaps with a sentence
 * (hkt_fail), which whoever joins can read. Threads that were not made by hocket may call
 * everything; they are known to it from their first call on. */
#ifndef HOCKET_THREAD_H
#define HOCKET_THREAD_H

#include <hocket/export.h>
#include <hocket/time.h>

HKT_BEGIN_DECLS

typedef struct hkt_thread hkt_thread;

/* The kernel's limit for a thread's name, with its final zero; longer ones are cut for the kernel
 * alone. hocket itself keeps up to HKT_NAME_MAX. */
#define HKT_NAME_MAX 64

/* A daemon thread does not hold up hkt_join_all. Threads inherit this from who creates them. */
typedef enum hkt_daemon {
    HKT_DAEMON_INHERIT = 0,
    HKT_DAEMON_NO = 1,
    HKT_DAEMON_YES = 2,
} hkt_daemon;

typedef struct hkt_thread_options {
    const char *name;     /* copied; NULL: "Thread-N" */
    hkt_daemon daemon;    /* 0: as the creator */
    size_t stack_size;    /* bytes; 0: as hkt_thread_set_stack_size says */
    uint64_t reserved[3]; /* zero */
} hkt_thread_options;

/* Makes a thread, which runs nothing yet: its state is "new". 0; -ENOMEM; -EINVAL for a stack below
 * 32 KiB. (Thread) */
HKT_API HKT_MUST_USE int hkt_thread_create(hkt_thread **thread, int (*function)(void *), void *arg,
                                           const hkt_thread_options *options);

/* Starts it: 0, with its ident and native id known; -EALREADY the second time; -EAGAIN or -ENOMEM
 * if the system gives no thread, and it may be tried again. (Thread.start) */
HKT_API HKT_MUST_USE int hkt_thread_start(hkt_thread *thread);

/* Both at once. `thread` may be NULL for one that nobody joins; else it is written before the new
 * thread runs, which may read it. */
HKT_API HKT_MUST_USE int hkt_thread_spawn(hkt_thread **thread, int (*function)(void *), void *arg,
                                          const hkt_thread_options *options);

/* Waits until it has ended: 0, again and again and by many, and for NULL; -EDEADLK for oneself;
 * -EINVAL before its start, or for a thread that hocket did not make; -ECANCELED, -ETIMEDOUT.
 * Cancellation points. (Thread.join) */
HKT_API int hkt_thread_join(hkt_thread *thread);
HKT_API int hkt_thread_join_until(hkt_thread *thread, hkt_deadline deadline);

/* What its function returned, and the sentence it left with that; valid until the thread is
 * destroyed. -EBUSY while it has not ended. */
HKT_API int hkt_thread_result(const hkt_thread *thread, int *result);
HKT_API const char *hkt_thread_sentence(const hkt_thread *thread);

/* Gives the handle back; NULL is fine. A thread that runs goes on by itself. */
HKT_API void hkt_thread_destroy(hkt_thread *thread);

/* Waits for all threads but daemons, the caller and foreign ones, later-born ones too: 0,
 * -ECANCELED, -ETIMEDOUT. What a program calls at the end of main. Cancellation points. A program
 * that ends without it, by return from main or exit, is held for up to a second while such threads
 * run; then the sink is told who they are, and it ends. */
HKT_API int hkt_join_all(void);
HKT_API int hkt_join_all_until(hkt_deadline deadline);

/* Has it been started, and not ended? (Thread.is_alive) */
HKT_API bool hkt_thread_is_alive(const hkt_thread *thread);

/* Its name; to set it gives it to the kernel too. The text from hkt_thread_name is valid until the
 * name is set again or the thread destroyed. -EINVAL for NULL. (Thread.name) */
HKT_API const char *hkt_thread_name(const hkt_thread *thread);
HKT_API int hkt_thread_set_name(hkt_thread *thread, const char *name);

/* Its number, never 0 and never used again in this process; 0 before its start. The kernel's number
 * for it. (Thread.ident, native_id) */
HKT_API uint64_t hkt_thread_ident(const hkt_thread *thread);
HKT_API int hkt_thread_native_id(const hkt_thread *thread);

/* Is it a daemon? To set it after the start is -EBUSY. (Thread.daemon) */
HKT_API bool hkt_thread_daemon(const hkt_thread *thread);
HKT_API int hkt_thread_set_daemon(hkt_thread *thread, bool daemon);

/* The calling thread; the thread of main. A foreign thread has a handle made here, NULL without
 * memory. They are not yours to destroy, and valid until their thread ends. (current_thread,
 * main_thread) */
HKT_API hkt_thread *hkt_thread_current(void);
HKT_API hkt_thread *hkt_thread_main(void);

/* Of the calling thread, without a handle. (get_ident, get_native_id) */
HKT_API uint64_t hkt_ident(void);
HKT_API int hkt_native_id(void);

/* The stack size of threads made from now on; 0: the system's. 0, or -EINVAL below 32 KiB.
 * (stack_size) */
HKT_API int hkt_thread_set_stack_size(size_t bytes);
HKT_API size_t hkt_thread_stack_size(void);

/* Called in a thread whose function returned a negative value, right before its end, in place of
 * the line to the report sink; NULL brings that back, which says nothing of -ECANCELED.
 * (excepthook) */
typedef void hkt_thread_hook(hkt_thread *thread, int err, const char *sentence);
HKT_API void hkt_thread_set_excepthook(hkt_thread_hook *hook);

HKT_END_DECLS
#endif
