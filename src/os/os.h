/* SPDX-License-Identifier: MIT */
/* What a port must supply. os/linux has it for Linux; os/sim stands beside it in the simulated
 * build and takes its place while a simulation runs (base/seam.h).
 *
 * Times are nanoseconds of the monotonic clock; a deadline of 0 is never. Errors are negative errno
 * values; errno itself is left as it was. EINTR is handled inside, unless told otherwise. */
#ifndef HKTI_OS_OS_H
#define HKTI_OS_OS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The time now; above 1. */
int64_t hkti_os_now(void);

/* Sleeps while *word == expected, at the longest until the deadline: 0 when woken, also without
 * reason, or when *word differs; -ETIMEDOUT. Of this process only. */
int hkti_os_futex_wait(uint32_t *word, uint32_t expected, int64_t deadline);

/* Wakes up to `count` sleepers on word. The memory may be gone already: nothing is read or
 * written. */
void hkti_os_futex_wake(uint32_t *word, int count);

/* The same of words that several processes have mapped. The wait is for either: the caller's own `word`,
 * of this process, or `shared`, of which other processes wake sleepers. -ENOSYS: the system cannot
 * wait for two (it never can on Linux before 5.16). `word` NULL: only for the other one, which any
 * system can. */
int hkti_os_futex_wait_either(uint32_t *word, uint32_t expected, uint32_t *shared,
                              uint32_t shared_expected, int64_t deadline);
void hkti_os_shared_futex_wake(uint32_t *word, int count);
/* Waits for any of n shared words (n <= HKTI_OS_FUTEX_MANY) and the caller's own: 0, -ETIMEDOUT,
 * -ENOSYS. */
#define HKTI_OS_FUTEX_MANY 127
int hkti_os_futex_wait_many(uint32_t *word, uint32_t expected, uint32_t *const shared[],
                            const uint32_t shared_expected[], size_t n, int64_t deadline);

/* For spinning: a hint to the processor (some 40 ns). */
void hkti_os_pause(void);

/* For spinning longer: lets another thread have the processor; after many `turns`, sleeps for 50
 * us, so that a thread of lower priority gets it too. */
void hkti_os_yield(unsigned turns);

/* Memory of the calling strand, HKTI_OS_LOCAL_SIZE bytes, zero at first, aligned to 64. Always
 * there: needs no allocation. The layer park has the first half, the layer thread the second. */
#define HKTI_OS_LOCAL_SIZE 2048
#ifdef HKT_SIM
void *hkti_os_local(void);
#else
/* Read at every call of hocket, so it is in line; NULL before the thread's first call. */
extern _Thread_local __attribute__((tls_model("initial-exec"))) void *hkti_os_local_memory;
void *hkti_os_local_first(void);
static inline void *hkti_os_local(void)
{
    void *memory = hkti_os_local_memory;
    return __builtin_expect(memory != NULL, 1) ? memory : hkti_os_local_first();
}
#endif

/* The calling thread runs another strand from now on, whose memory this is: for coroutines. It lies
 * at the upper end of its stack, which begins at `stack`; NULL: that of the thread itself. */
#ifdef HKT_SIM
void hkti_os_set_local(void *local, const void *stack);
#else
static inline void hkti_os_set_local(void *local, const void *stack)
{
    (void)stack;
    hkti_os_local_memory = local;
}
#endif

/* Calls function(local memory) when the calling strand ends: 0 or -ENOMEM. One function a strand.
 */
int hkti_os_at_thread_exit(void (*function)(void *local));

/* May be run on at the same time, by affinity and the quota of the control group; at least 1. Read
 * once. */
unsigned hkti_os_cpu_count(void);

/* Waits until fd is ready for `events` (of poll), or wake_fd (-1: none) is readable, or the
 * deadline: 0 with *revents (0 if woken otherwise), -ETIMEDOUT, -EINTR as 0, other errors of poll.
 */
int hkti_os_poll(int fd, short events, short *revents, int wake_fd, int64_t deadline);

/* Closes an fd of any kind; -1 is none. errno stays, here as everywhere. */
void hkti_os_close(int fd);

/* An eventfd: to make one (or a negative errno), to make it readable, to make it not readable. */
int hkti_os_wake_fd_open(void);
void hkti_os_wake_fd_set(int fd);
void hkti_os_wake_fd_clear(int fd);

/* A set of fds, itself an fd, or a negative errno. Watching an fd for `events`
 * (of poll), it is told with the token: once, and then no more until it is watched again; or as long as
 * it is ready; or each time that there is more of it than before, and once if it is ready now. What is
 * closed leaves the set. 0, or a negative errno. */
enum hkti_os_watch { HKTI_OS_ONCE, HKTI_OS_ALWAYS, HKTI_OS_EACH };
struct hkti_os_event {
    uint64_t token;
    unsigned events;
};
int hkti_os_poller_open(void);
int hkti_os_poller_watch(int poller, int fd, unsigned events, uint64_t token,
                         enum hkti_os_watch how);
/* Waits until there are some, or wake_fd, which is in the set too, is readable, or the deadline: how
 * many, at the most n; also 0 without reason. */
int hkti_os_poller_wait(int poller, int wake_fd, struct hkti_os_event *events, int n,
                        int64_t deadline);

/* An fd that is readable from a time on, 0: never; or a negative errno. */
int hkti_os_timer_fd_open(void);
void hkti_os_timer_fd_set(int fd, int64_t deadline);

/* Threads. `stack_size` 0 is the system's, which may also ask for more than it says; the rest is
 * os's own. The struct must stay where it is
 * until function(arg) has begun. Join waits for the thread's end, which must be near: it is no wait
 * of ours. A start that is refused (-EAGAIN, -ENOMEM) may be tried again. */
struct hkti_os_thread {
    size_t stack_size;
    uintptr_t handle;
    void (*function)(void *);
    void *arg;
};
int hkti_os_thread_start(struct hkti_os_thread *thread, void (*function)(void *), void *arg);
void hkti_os_thread_join(struct hkti_os_thread *thread);
void hkti_os_thread_detach(struct hkti_os_thread *thread);

/* Of the calling thread: the kernel's number; is it the one that runs main; its name, cut to 15
 * bytes. */
int hkti_os_native_id(void);
bool hkti_os_is_main(void);
void hkti_os_set_name(const char *name);
/* The name of another thread of this process, by its number. */
void hkti_os_set_name_of(int native_id, const char *name);

/* What the system tells of a process: its state by a letter ('Z': it has ended, and was not waited
 * for), its group, its threads, and when it started, by a clock of the system's, by which it is told
 * from a later one of that number. */
struct hkti_os_process {
    char state;
    int group;
    long threads;
    uint64_t start;
};
/* 0; -ESRCH: there is none; other errors: it cannot be told (no fds, say). */
int hkti_os_process_look(int pid, struct hkti_os_process *process);
/* Has it ended? A zombie with threads is one whose first thread has ended before the others. */
static inline bool hkti_os_process_has_ended(const struct hkti_os_process *process)
{
    return process->state == 'X' || (process->state == 'Z' && process->threads <= 1);
}

/* Calls in_child in the child of each raw fork from now on: 0 or -ENOMEM. */
int hkti_os_at_fork(void (*in_child)(void));

/* Whole pages for stacks: zero, readable and writable, the lowest page guarded: NULL if refused. */
void *hkti_os_stack_map(size_t size);
void hkti_os_stack_unmap(void *stack, size_t size);

/* Bytes of a page. */
size_t hkti_os_page_size(void);

/* Of many stacks, side by side in pages of ours: does it to the page at `first`, and to each that
 * lies `stride` bytes after the one before. Mark guards them, at no cost but the call, whatever was
 * in them: how many, from the first on; 0 where the kernel does not know how. Protect guards one in
 * the way that any kernel knows, which splits the mapping: false if refused. Populate has the
 * memory of pages ready before they are touched, if it can. */
size_t hkti_os_stack_mark(void *first, size_t stride, size_t count);
bool hkti_os_stack_protect(void *page);
void hkti_os_stack_populate(void *first, size_t stride, size_t count);

/* Zero pages at a multiple of `alignment`, a power of two: NULL if refused. They cost memory when they
 * are first touched. */
void *hkti_os_pages_map(size_t size, size_t alignment);
void hkti_os_pages_unmap(void *pages, size_t size);

/* Faults: whenever memory is touched that may not be touched, look(address, stack pointer) is called
 * on the signal stack, if the thread has one. After that all goes on as it would without: if `look`
 * says true, it is called no more. 0, or an error. One function a process. */
int hkti_os_fault_watch(bool (*look)(const void *address, const void *stack_pointer));

/* Gives the calling thread a stack for signal handlers, unless it has one: 0 or -ENOMEM; and takes
 * back what was given. */
int hkti_os_signal_stack(void);
void hkti_os_signal_stack_end(void);

/* Writes to the standard error; from signal handlers, too. */
void hkti_os_write_error(const char *text, size_t size);

/* Catches signo from now on, calling `handler` with SA_RESTART; NULL: its default again. -EINVAL.
 */
int hkti_os_signal(int signo, void (*handler)(int));
/* Has it its default action? */
bool hkti_os_signal_is_default(int signo);

#endif
