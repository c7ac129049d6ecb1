/* SPDX-License-Identifier: MIT */
/* The fork server, in its own process, which has one thread: it takes requests from the owner's socket,
 * and waits for its children, all of which are of the family, so that it may wait for any.
 *
 * SIGINT and SIGQUIT, which a terminal sends to all, are never let through. They are not ignored, since a
 * child that is sent one before it has set its own signals would miss it.
 *
 * It sleeps in ppoll alone, where SIGCHLD is let through, which has a handler only so that it ends the
 * sleep. The owner's death is seen by its pidfd, or by the end of the socket, of which nobody else has
 * a copy for long. Then all children are killed, waited for and buried, and so is the owner. An owner
 * that lives on and wants no server any more says so before. */
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/memory.h"
#include "os/os.h"
#include "park/strand.h"
#include "proc/arena.h"
#include "proc/start.h"

#define OWNER_PATIENCE_MS 1000 /* from the end of the owner's socket to its own */

struct child {
    pid_t pid;
    int sentinel; /* -1: none */
    struct hkti_process_record *record;
};

static struct child *children;
static size_t count, room;

/* Room for one more child, before it is started. */
static bool make_room(void)
{
    if (count < room)
        return true;
    size_t more = room ? 2 * room : 64;
    struct child *made = hkti_allocate(more * sizeof *made);
    if (made == NULL)
        return false;
    if (count)
        memcpy(made, children, count * sizeof *made);
    hkti_release(children, room * sizeof *children);
    children = made;
    room = more;
    return true;
}

static void end_child(struct child *child, int wake, int status)
{
    struct hkti_process_record *record = child->record;
    int sentinel = child->sentinel;
    bool tell = hkti_load_relaxed(&record->tell);
    *child = children[--count];
    hkti_record_end(record, status, 0); /* from here on it may be gone */
    hkti_os_close(sentinel);
    if (tell)
        hkti_os_wake_fd_set(wake);
}

static void see_end(pid_t pid, int status, int wake)
{
    for (size_t i = count; i-- > 0;)
        if (children[i].pid == pid) {
            end_child(&children[i], wake, status);
            return;
        }
}

static void reap(int wake)
{
    pid_t pid;
    int status;
    while (count > 0 && (pid = waitpid(-1, &status, WNOHANG)) > 0)
        see_end(pid, status, wake);
}

static struct child *find(const struct hkti_process_record *record)
{
    for (size_t i = count; i-- > 0;)
        if (children[i].record == record)
            return &children[i];
    return NULL;
}

/* The owner has gone, or will go without us. */
_Noreturn static void leave(const struct hkti_serving *serving, int owner, bool quit)
{
    struct pollfd look = { .fd = owner, .events = POLLIN };
    for (size_t i = 0; i < count; i++)
        (void)kill(children[i].pid, SIGKILL);
    while (count > 0) {
        int status;
        struct child *child = &children[count - 1];
        while (waitpid(child->pid, &status, 0) < 0 && errno == EINTR)
            ;
        end_child(child, serving->wake, status);
    }
    if (!quit) {
        if (owner >= 0)
            (void)poll(&look, 1, OWNER_PATIENCE_MS);
        for (int i = 0; owner < 0 && getppid() == serving->owner && i < OWNER_PATIENCE_MS; i++)
            (void)poll(NULL, 0, 1);
        if (getppid() != serving->owner)
            hkti_family_bury(serving->owner_token);
        else
            (void)hkti_family_look(serving->owner_token);
        if (hkti_family_is_dead(serving->owner_token))
            hkti_records_sweep(serving->owner_token);
    }
    _exit(0);
}

static void start(const struct hkti_serving *serving, struct hkti_process_record *record, int *fds,
                  size_t passed)
{
    if (!make_room()) {
        hkti_record_refuse(record, hkt_fail(-ENOMEM, "the fork server has no memory"));
        return;
    }
    pid_t pid = hkti_serve_start(serving, record, fds, passed);
    if (pid > 0)
        children[count++] = (struct child){ .pid = pid, .sentinel = -1, .record = record };
}

/* One request. False: it was to quit. */
static bool obey(const struct hkti_serving *serving, const struct hkti_request *request, int *fds,
                 size_t passed)
{
    struct child *child = request->ask == HKTI_ASK_START ? NULL : find(request->record);
    size_t used = 0;
    switch (request->ask) {
    case HKTI_ASK_START:
        start(serving, request->record, fds, passed);
        break;
    case HKTI_ASK_SIGNAL:
        if (child)
            (void)kill(child->pid, request->signo);
        break;
    case HKTI_ASK_SENTINEL:
        if (child && passed == 1) {
            child->sentinel = fds[0];
            used = 1;
        }
        break;
    default:
        break;
    }
    for (size_t i = used; i < passed; i++)
        hkti_os_close(fds[i]);
    return request->ask != HKTI_ASK_QUIT;
}

/* 1: obeyed; 0: nothing there; -1: the owner has closed; -2: to quit. */
static int take_request(const struct hkti_serving *serving)
{
    struct hkti_request request;
    union {
        struct cmsghdr head;
        char room[CMSG_SPACE(sizeof(int) * HKTI_PASSED_MAX)];
    } control;
    struct iovec part = { &request, sizeof request };
    struct msghdr message = {
        .msg_iov = &part, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control
    };
    int fds[HKTI_PASSED_MAX];
    size_t passed = 0;
    ssize_t length = recvmsg(serving->control, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
    if (length < 0)
        return errno == EAGAIN || errno == EINTR ? 0 : -1;
    if (length == 0)
        return -1;
    for (struct cmsghdr *head = CMSG_FIRSTHDR(&message); head; head = CMSG_NXTHDR(&message, head))
        if (head->cmsg_level == SOL_SOCKET && head->cmsg_type == SCM_RIGHTS) {
            passed = (head->cmsg_len - CMSG_LEN(0)) / sizeof(int);
            memcpy(fds, CMSG_DATA(head), passed * sizeof(int));
        }
    return obey(serving, &request, fds, passed) ? 1 : -2;
}

static void wake_up(int signo)
{
    (void)signo;
}

_Noreturn void hkti_serve(const struct hkti_serving *given)
{
    struct hkti_serving serving = *given;
    struct sigaction action = { .sa_handler = wake_up };
    sigset_t held, asleep;
    serving.self = getpid();
    hkti_family_become(serving.token);
    (void)hkti_self(); /* what a strand finds out at its beginning, children need not */
    sigemptyset(&held);
    sigaddset(&held, SIGINT);
    sigaddset(&held, SIGQUIT);
    asleep = held;
    sigaddset(&held, SIGCHLD);
    (void)sigprocmask(SIG_SETMASK, &held, NULL);
    (void)sigaction(SIGCHLD, &action, NULL);
    int owner = (int)syscall(SYS_pidfd_open, serving.owner, 0);
    if (getppid() != serving.owner)
        leave(&serving, -1, false);
    struct pollfd fds[] = { { .fd = serving.control, .events = POLLIN },
                            { .fd = owner, .events = POLLIN } };
    for (;;) {
        int taken = 0;
        fds[0].revents = fds[1].revents = 0;
        if (ppoll(fds, 2, NULL, &asleep) < 0 && errno != EINTR)
            hkti_os_yield(0); /* no memory for it, for the moment */
        reap(serving.wake);
        while (fds[0].revents && (taken = take_request(&serving)) == 1)
            reap(serving.wake);
        if (taken < 0 || fds[1].revents)
            leave(&serving, owner, taken == -2);
    }
}
