/* SPDX-License-Identifier: MIT */
/* Fork servers, as their owner has them: the one that is the process's own, made at the first use and
 * again when it has died, and copies of the process (hkti_server_fork).
 *
 * A server is watched by the supervisor, by its socket. When that ends the server is gone: nobody sends
 * any more, and the socket is closed by the last one who was about to. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <hocket/lock.h>

#include "base/memory.h"
#include "os/os.h"
#include "park/wait.h"
#include "proc/arena.h"
#include "proc/start.h"

#define QUIT_PATIENCE 5.0 /* seconds, until one that was asked to end is killed */

struct hkti_node hkti_servers;
static struct hkti_server *own; /* under the guard */
static hkt_lock making;
static void (*preload)(void);
static struct hkti_node *volatile forgotten; /* the parent's, in a copy: not lost */
static uint32_t preload_late;                /* the server has begun */

static void ref(struct hkti_server *server)
{
    hkti_fetch_add_relaxed(&server->refs, 1);
}

void hkti_server_unref(struct hkti_server *server)
{
    /* pairs: server-refs */
    if (server && hkti_fetch_add_acq_rel(&server->refs, (uint32_t)-1) == 1)
        hkti_release(server, sizeof *server);
}

/* 0 and both ends: [0] is ours. Not among 0, 1 and 2, which a child may have closed. */
static int make_sockets(int control[2])
{
    int pair[2], saved = errno, err = 0;
    control[0] = control[1] = -1;
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
        err = -errno;
    for (int i = 0; err == 0 && i < 2; i++) {
        control[i] = pair[i] > STDERR_FILENO ? pair[i] : fcntl(pair[i], F_DUPFD_CLOEXEC, 3);
        err = control[i] < 0 ? -errno : 0;
        if (control[i] != pair[i])
            hkti_os_close(pair[i]);
    }
    errno = saved;
    return err;
}

static int start_program(struct hkti_server *server, int control, uint32_t owner)
{
    posix_spawn_file_actions_t actions;
    const int fds[] = { hkti_arena_fd(), control, hkti_supervisor_fd() };
    char start[128];
    hkti_function_name name = 0;
    void (*first)(void) = hkti_load_relaxed(&preload);
    int err = first ? hkti_function_encode((hkt_job *)(uintptr_t)first, &name) : 0;
    if (err < 0)
        return err;
    (void)snprintf(start, sizeof start, "S,%x,%x,%x,%x,%x,%x,%x,%llx", (unsigned)getpid(),
                   (unsigned)getpid(), (unsigned)fds[0], (unsigned)fds[1], (unsigned)fds[2],
                   (unsigned)owner, (unsigned)server->token, (unsigned long long)name);
    err = posix_spawn_file_actions_init(&actions);
    if (err != 0)
        return -err;
    for (size_t i = 0; err == 0 && i < 3; i++)
        err = posix_spawn_file_actions_adddup2(&actions, fds[i], fds[i]);
    err = err == 0 ? hkti_program_spawn(&server->pid, start, &actions, true) : -err;
    (void)posix_spawn_file_actions_destroy(&actions);
    return err;
}

/* The server, in a copy of the owner, from here to its end. */
_Noreturn static void serve(const struct hkti_serving *serving)
{
    (void)prctl(PR_SET_NAME, "hkt-forkserver");
    hkti_serve(serving);
}

static int start_copy(struct hkti_server *server, const int control[2], uint32_t owner)
{
    struct hkti_serving serving = { .owner = getpid(),
                                    .owner_token = owner,
                                    .token = server->token,
                                    .control = control[1],
                                    .copy = true };
    serving.wake = fcntl(hkti_supervisor_fd(), F_DUPFD_CLOEXEC, 3); /* ours is closed in the copy */
    int err = serving.wake < 0 ? -errno : hkti_fork(&server->pid, false);
    if (err == 0 && server->pid == 0) {
        hkti_os_close(control[0]);
        serve(&serving);
    }
    hkti_os_close(serving.wake);
    return err;
}

static int fail_make(int err)
{
    switch (err) {
    case -EMFILE:
    case -ENFILE:
        return hkt_fail(-EMFILE, "there are no fds for a fork server: look at ulimit -n");
    case -EAGAIN:
        return hkt_fail(err, "the system gives no process for a fork server: look at ulimit -u");
    case -ENOMEM:
        return hkt_fail(err, "there is no memory for a fork server");
    case -EBUSY:
    case -ESRCH:
        return err;
    default:
        return hkt_fail(err, "the fork server cannot be started: %s", hkt_strerror(err));
    }
}

static int make_process(struct hkti_server *server, bool copy)
{
    int control[2];
    uint32_t owner = hkti_family_token();
    server->token = owner ? hkti_family_reserve(owner) : 0;
    if (server->token == 0)
        return -ENOMEM;
    int err = make_sockets(control);
    if (err == 0)
        err = copy ? start_copy(server, control, owner) : start_program(server, control[1], owner);
    hkti_os_close(control[1]);
    server->control = control[0];
    if (err < 0) {
        hkti_os_close(control[0]);
        hkti_family_bury(server->token);
    }
    return err;
}

static int make(struct hkti_server **server, bool copy)
{
    struct hkti_server *made = hkti_allocate(sizeof *made);
    int err = made ? make_process(made, copy) : -ENOMEM;
    if (err < 0) {
        hkti_release(made, sizeof *made);
        return fail_make(err);
    }
    hkti_family_born(made->token, made->pid);
    hkti_init(&made->refs, 2); /* of the list, and the caller's */
    hkti_guard_acquire(&hkti_children_guard);
    hkti_list_append(&hkti_servers, &made->node);
    hkti_guard_release(&hkti_children_guard);
    hkti_supervisor_wake();
    *server = made;
    return 0;
}

static struct hkti_server *find_own(void)
{
    hkti_guard_acquire(&hkti_children_guard);
    if (own && (own->gone || own->quitting)) {
        struct hkti_server *old = own;
        own = NULL;
        hkti_guard_release(&hkti_children_guard);
        hkti_server_unref(old);
        return NULL;
    }
    struct hkti_server *found = own;
    if (found)
        ref(found);
    hkti_guard_release(&hkti_children_guard);
    return found;
}

static int make_own(struct hkti_server **server)
{
    if (!hkti_load_relaxed(&hkti_start_linked))
        return hkt_fail(-ENOSYS, "the program lacks hocket's start object: link with `pkg-config "
                                 "--libs hocket`, or hocket_start.o last");
    hkti_store_relaxed(&preload_late, 1);
    int err = make(server, false);
    if (err < 0)
        return err;
    hkti_guard_acquire(&hkti_children_guard);
    own = *server;
    ref(own);
    hkti_guard_release(&hkti_children_guard);
    return 0;
}

int hkti_server_get(struct hkti_server **server)
{
    *server = find_own();
    if (*server)
        return 0;
    hkti_proc_watch();
    int err = hkti_arena_open();
    if (err == 0)
        err = hkti_supervisor_start();
    if (err < 0)
        return err;
    hkt_lock_acquire(&making);
    *server = find_own();
    if (*server == NULL)
        err = make_own(server);
    hkt_lock_release(&making);
    return err;
}

int hkti_server_fork(struct hkti_server **server)
{
    int err = hkti_fork_allowed(false);
    hkti_proc_watch();
    if (err == 0)
        err = hkti_arena_open();
    if (err == 0)
        err = hkti_supervisor_start();
    return err < 0 ? err : make(server, true);
}

/* Asking. */

static bool begin_to_send(struct hkti_server *server)
{
    hkti_guard_acquire(&hkti_children_guard);
    bool open = !server->gone;
    server->users += open;
    hkti_guard_release(&hkti_children_guard);
    return open;
}

static void end_sending(struct hkti_server *server)
{
    hkti_guard_acquire(&hkti_children_guard);
    bool last = --server->users == 0 && server->gone;
    hkti_guard_release(&hkti_children_guard);
    if (last)
        hkti_os_close(server->control);
}

void hkti_server_close(struct hkti_server *server)
{
    hkti_store_relaxed(&server->gone, 1);
    if (server->users == 0)
        hkti_os_close(server->control);
}

/* A stopped server, or one with very much to do, takes no more for now. */
static void await_room(struct hkti_server *server)
{
    struct hkti_fd_interest interest = { .fd = server->control, .events = POLLOUT };
    struct hkti_wait wait = { .what = "fork server", .object = server, .fd = &interest };
    short revents;
    if (hkti_wait(&wait) < 0)
        (void)hkti_os_poll(server->control, POLLOUT, &revents, -1, 0);
}

static int send_one(struct hkti_server *server, const struct msghdr *message)
{
    for (;;) {
        int saved = errno;
        int err = sendmsg(server->control, message, MSG_NOSIGNAL | MSG_DONTWAIT) < 0 ? -errno : 0;
        errno = saved;
        if (err == -EAGAIN)
            await_room(server);
        else if (err == -ETOOMANYREFS)
            return -EMFILE;
        else if (err == -ECONNRESET || err == -ENOTCONN)
            return -EPIPE;
        else if (err != -EINTR)
            return err;
    }
}

int hkti_server_ask(struct hkti_server *server, enum hkti_ask ask,
                    struct hkti_process_record *record, int signo, const int *fds, size_t count)
{
    struct hkti_request request = { .ask = ask, .signo = signo, .record = record };
    union {
        struct cmsghdr head;
        char room[CMSG_SPACE(sizeof(int) * HKTI_PASSED_MAX)];
    } control;
    struct iovec part = { &request, sizeof request };
    struct msghdr message = { .msg_iov = &part, .msg_iovlen = 1 };
    if (count) {
        memset(&control, 0, sizeof control); /* its padding is sent, too */
        control.head = (struct cmsghdr){ .cmsg_level = SOL_SOCKET,
                                         .cmsg_type = SCM_RIGHTS,
                                         .cmsg_len = CMSG_LEN(sizeof(int) * count) };
        memcpy(CMSG_DATA(&control.head), fds, sizeof(int) * count);
        message.msg_control = &control;
        message.msg_controllen = CMSG_SPACE(sizeof(int) * count);
    }
    if (!begin_to_send(server))
        return -EPIPE;
    int err = send_one(server, &message);
    end_sending(server);
    return err;
}

/* Ends. */

void hkti_server_await(struct hkti_server *server)
{
    hkt_scope shield;
    if (hkti_supervisor_is(hkt_native_id())) /* who sees its end cannot wait for it */
        return;
    hkt_scope_enter(&shield, &(hkt_scope_options){ .shield = true });
    (void)hkt_event_wait(&server->ended);
    hkt_scope_leave(&shield);
}

/* One that has been stopped does not hear that it is to end. Its number is its own until it is gone. */
static void kill_server(struct hkti_server *server)
{
    hkti_guard_acquire(&hkti_children_guard);
    if (!server->gone)
        (void)kill(server->pid, SIGKILL);
    hkti_guard_release(&hkti_children_guard);
}

static void await_end(struct hkti_server *server)
{
    hkt_scope shield;
    hkt_scope_enter(&shield, &(hkt_scope_options){ .shield = true });
    if (hkt_event_wait_until(&server->ended, hkt_after(QUIT_PATIENCE)) < 0) {
        kill_server(server);
        (void)hkt_event_wait(&server->ended);
    }
    hkt_scope_leave(&shield);
}

void hkti_server_destroy(struct hkti_server *server)
{
    if (server == NULL)
        return;
    hkti_guard_acquire(&hkti_children_guard);
    server->quitting = true;
    hkti_guard_release(&hkti_children_guard);
    (void)hkti_server_ask(server, HKTI_ASK_QUIT, NULL, 0, NULL, 0);
    if (!hkti_supervisor_is(hkt_native_id())) /* who sees its end cannot wait for it */
        await_end(server);
    hkti_server_unref(server);
}

void hkti_servers_end(void)
{
    hkti_guard_acquire(&hkti_children_guard);
    struct hkti_server *server = own;
    own = NULL;
    hkti_guard_release(&hkti_children_guard);
    hkti_server_destroy(server);
    hkti_store_relaxed(&preload_late, 0);
}

void hkti_servers_forget(void)
{
    for (struct hkti_node *node = hkti_servers.next; node && node != &hkti_servers;
         node = node->next)
        hkti_os_close(HKTI_CONTAINER(node, struct hkti_server, node)->control);
    forgotten = hkti_servers.next;
    hkti_servers = (struct hkti_node){ 0 };
    own = NULL;
    memset(&making, 0, sizeof making);
    preload_late = 0;
}

int hkt_forkserver_set_preload(void (*function)(void))
{
    if (hkti_load_relaxed(&preload_late))
        return -EALREADY;
    hkti_store_relaxed(&preload, function);
    return 0;
}
