/* SPDX-License-Identifier: MIT */
/* The report of all threads on a signal: the handler only writes to an eventfd, and a daemon
 * thread that waits for it writes the report, since a handler may not. One such thread a process;
 * started under its guard, stopped by hkt_finalize. */
#include <errno.h>
#include <hocket/fd.h>
#include <hocket/scope.h>

#include "park/guard.h"
#include "thread/thread.h"

static uint32_t guard;
static hkt_thread *thread;
static hkt_scope scope;
static hkt_event ready;
static int fd = -1;
static int signo;

static void on_signal(int number)
{
    (void)number;
    hkti_os_wake_fd_set(fd);
}

static int serve(void *arg)
{
    (void)arg;
    hkt_scope_enter(&scope, NULL);
    hkt_event_set(&ready);
    while (hkt_fd_wait(fd, HKT_READABLE) > 0) {
        hkti_os_wake_fd_clear(fd);
        hkt_thread_report_all();
    }
    hkt_scope_leave(&scope);
    return 0;
}

static int start(int number)
{
    hkt_thread_options options = { .name = "hocket-report", .daemon = HKT_DAEMON_YES };
    fd = hkti_os_wake_fd_open();
    if (fd < 0)
        return fd;
    int err = hkt_thread_spawn(&thread, serve, NULL, &options);
    if (err == 0) {
        /* Short, and without a look at the caller's scope. */
        for (unsigned turns = 0; !hkt_event_is_set(&ready); turns++)
            hkti_os_yield(turns);
        err = hkti_os_signal(number, on_signal);
    }
    signo = err == 0 ? number : 0;
    if (err < 0)
        hkti_signal_report_stop();
    return err;
}

int hkt_thread_report_on_signal(int number)
{
    static uint32_t starting;
    int err = -EALREADY;
    hkti_guard_acquire(&guard);
    bool first = !starting && thread == NULL;
    starting = starting || first;
    hkti_guard_release(&guard);
    if (first) {
        err = start(number);
        hkti_guard_acquire(&guard);
        starting = 0;
        hkti_guard_release(&guard);
    }
    return err;
}

void hkti_signal_report_stop(void)
{
    if (signo)
        (void)hkti_os_signal(signo, NULL); /* as at the start of the program */
    signo = 0;
    if (thread) {
        hkt_scope shield;
        hkt_scope_cancel(&scope);
        hkt_scope_enter(&shield, &(hkt_scope_options){ .shield = true });
        hkt_thread_join(thread);
        hkt_scope_leave(&shield);
        hkt_thread_destroy(thread);
        thread = NULL;
        hkt_event_clear(&ready);
    }
    if (fd >= 0)
        hkti_os_close(fd);
    fd = -1;
}
