/* SPDX-License-Identifier: MIT */
/* Watchers: a callback for an fd. Each is a task of the loop, which waits for the fd, calls,
 * gives way, and waits again. Taken back, the task is cancelled, unless it is its own callback
 * that does so; it calls no more, and gives the watcher back at its end.
 *
 * All by the loop's thread. */
#include <errno.h>
#include <hocket/fd.h>

#include "base/memory.h"
#include "base/report.h"
#include "loop/loop.h"

struct hkti_watcher {
    struct hkti_watcher *next; /* of the loop's */
    struct hkti_watch end;     /* of its task */
    hkt_loop *loop;
    hkt_future *task;
    int fd;
    unsigned events;
    hkt_job *callback;
    void *arg;
    bool removed;
};

static int watch(void *arg)
{
    struct hkti_watcher *watcher = arg;
    int err = 0;
    while (!watcher->removed && (err = hkt_fd_wait(watcher->fd, watcher->events)) > 0) {
        if (watcher->removed)
            return 0;
        int result = watcher->callback(watcher->arg);
        if (result < 0 && !watcher->removed)
            hkti_report_line("a callback of loop \"%s\" for fd %d failed: %s", watcher->loop->name,
                             watcher->fd, hkt_sentence(result));
        err = watcher->removed ? 0 : hkt_yield();
        if (err < 0)
            return err;
    }
    if (err < 0 && err != -ECANCELED)
        hkti_report_line("loop \"%s\" cannot watch fd %d any more: %s", watcher->loop->name,
                         watcher->fd, hkt_strerror(err));
    return 0;
}

static void ended(struct hkti_watch *end, hkt_future *task)
{
    struct hkti_watcher *watcher = HKTI_CONTAINER(end, struct hkti_watcher, end);
    struct hkti_watcher **place = &watcher->loop->watchers;
    (void)task;
    while (*place && *place != watcher)
        place = &(*place)->next;
    if (*place)
        *place = watcher->next;
    hkt_future_destroy(watcher->task);
    hkti_release(watcher, sizeof *watcher);
}

static struct hkti_watcher *find(hkt_loop *loop, int fd, unsigned events)
{
    struct hkti_watcher *watcher = loop->watchers;
    while (watcher && (watcher->fd != fd || watcher->events != events))
        watcher = watcher->next;
    return watcher;
}

int hkt_loop_add_watcher(hkt_loop *loop, int fd, unsigned events, hkt_job *callback, void *arg)
{
    hkti_loop_must_be_here(loop, "hkt_loop_add_watcher");
    if (fd < 0)
        return -EBADF;
    if (callback == NULL || (events != HKT_READABLE && events != HKT_WRITABLE))
        return -EINVAL;
    struct hkti_watcher *found = find(loop, fd, events);
    if (found) {
        found->callback = callback;
        found->arg = arg;
        return 0;
    }
    struct hkti_watcher *made = hkti_allocate(sizeof *made);
    if (made == NULL)
        return -ENOMEM;
    *made = (struct hkti_watcher){ .end = { .done = ended, .late = true },
                                   .loop = loop,
                                   .fd = fd,
                                   .events = events,
                                   .callback = callback,
                                   .arg = arg };
    int err = hkt_submit_with(hkt_loop_executor(loop), &made->task, watch, made,
                              &(hkt_submit_options){ .name = "watcher" });
    if (err < 0) {
        hkti_release(made, sizeof *made);
        return err;
    }
    (void)hkti_future_watch(made->task, &made->end); /* it has not begun */
    made->next = loop->watchers;
    loop->watchers = made;
    return 0;
}

static void take_back(hkt_loop *loop, struct hkti_watcher *watcher)
{
    struct hkti_watcher **place = &loop->watchers;
    while (*place != watcher)
        place = &(*place)->next;
    *place = watcher->next;
    watcher->removed = true;
    if (hkt_task_current() != watcher->task)
        (void)hkt_future_request_cancel(watcher->task);
}

bool hkt_loop_remove_watcher(hkt_loop *loop, int fd, unsigned events)
{
    hkti_loop_must_be_here(loop, "hkt_loop_remove_watcher");
    struct hkti_watcher *found = find(loop, fd, events);
    if (found)
        take_back(loop, found);
    return found != NULL;
}

void hkti_watchers_end(hkt_loop *loop)
{
    while (loop->watchers)
        take_back(loop, loop->watchers);
}
