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

/* For spinning: a hint to the processor (some 40 ns). */
void hkti_os_pause(void);

/* For spinning longer: lets another thread have the processor; after many `turns`, sleeps for 50
 * us, so that a thread of lower priority gets it too. */
void hkti_os_yield(unsigned turns);

/* Memory of the calling strand, HKTI_OS_LOCAL_SIZE bytes, zero at first, aligned to 64. Always
 * there: needs no allocation. The layer park has the first half, the layer thread the second. */
#define HKTI_OS_LOCAL_SIZE 2048
void *hkti_os_local(void);

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

/* An eventfd: to make one (or a negative errno), to make it readable, to make it not readable, to
 * close it. */
int hkti_os_wake_fd_open(void);
void hkti_os_wake_fd_set(int fd);
void hkti_os_wake_fd_clear(int fd);
void hkti_os_wake_fd_close(int fd);

/* Threads. `stack_size` 0 is the system's; the rest is os's own. The struct must stay where it is
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

/* Calls in_child in the child of each raw fork from now on: 0 or -ENOMEM. */
int hkti_os_at_fork(void (*in_child)(void));

/* Whole pages for stacks: zero, readable and writable, the lowest page guarded: NULL if refused. */
void *hkti_os_stack_map(size_t size);
void hkti_os_stack_unmap(void *stack, size_t size);

/* Catches signo from now on, calling `handler` with SA_RESTART; NULL: its default again. -EINVAL.
 */
int hkti_os_signal(int signo, void (*handler)(int));

#endif
