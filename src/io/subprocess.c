/* SPDX-License-Identifier: MIT */
/* Subprocesses: their ends, and what goes through their pipes.
 *
 * States: it runs; it has ended, and is still a zombie; it is no more (`gone`). Whoever finds the
 * zombie first waits for it in the system's sense, under the guard, and leaves the code for all
 * others. So its number stays its own as long as `gone` is not set under the guard, and signals,
 * which are sent under the guard, never reach another process or group.
 *
 * Who ends it holds it meanwhile (`holders`): the zombie is kept, since without it its group cannot
 * be signalled. Others who wait then wait for the event `over` instead of the pidfd, which tells
 * them nothing new. The last holder waits for the zombie and sets the event.
 *
 * communicate is one strand that tries each pipe in turn and then waits for all of them: for a set
 * of fds, which is an fd itself. So it is the same in tasks, jobs and threads, and a cancel reaches
 * it as any other wait.
 *
 * Who may touch what: gone, code, result, holders under the guard; the rest is set at the start. */
#include <errno.h>
#include <hocket/event.h>
#include <hocket/task.h>
#include <poll.h>
#include <signal.h>
#include <string.h>

#include "base/memory.h"
#include "base/seconds.h"
#include "io/spawn.h"
#include "io/stream.h"
#include "park/scope.h"

#define ROOM ((size_t)8192)
#define DROPPED ((size_t)65536)
#define TURNS 16 /* of communicate, after which others get theirs */

/* Its end. */

/* With the guard held, some microseconds at the end of a process: it is no more if it has ended,
 * unless somebody holds it. 0: it is no more; -EBUSY: it is held; -EAGAIN: it runs. */
static int settle(hkt_subprocess *child)
{
    if (child->gone)
        return 0;
    int looked = hkti_process_look(&child->process, child->holders > 0, &child->code);
    if (looked == 0)
        return -EAGAIN;
    if (looked > 0 && child->holders > 0)
        return -EBUSY;
    child->gone = true;
    child->result = looked < 0 ? looked : 0;
    return 0;
}

/* The same from outside: 0 or -ECHILD, and the code; -EBUSY, -EAGAIN. */
static int look(hkt_subprocess *child, int *code)
{
    hkti_guard_acquire(&child->guard);
    int err = settle(child);
    if (err == 0)
        err = child->result;
    if (err == 0 && code)
        *code = child->code;
    hkti_guard_release(&child->guard);
    return err;
}

static int await_fd(const hkt_subprocess *child, const char *what, int fd, int64_t deadline)
{
    struct hkti_fd_interest interest = { .fd = fd, .events = POLLIN };
    struct hkti_wait wait = { .what = what,
                              .object = child,
                              .deadline = deadline,
                              .fd = &interest,
                              .cancellable = true,
                              .no_spin = true };
    int err = hkti_wait(&wait);
    return err < 0 ? err : 0;
}

int hkt_subprocess_wait_until(hkt_subprocess *child, int *code, hkt_deadline deadline)
{
    int err = hkti_cancelled(deadline.ns);
    while (err == 0) {
        err = look(child, code);
        if (err != -EAGAIN && err != -EBUSY)
            return err;
        if (deadline.ns == HKTI_PASSED)
            return -ETIMEDOUT;
        err = err == -EBUSY ? hkt_event_wait_until(&child->over, deadline)
                            : await_fd(child, "subprocess", child->process.pidfd, deadline.ns);
    }
    return err;
}

int hkt_subprocess_wait(hkt_subprocess *child, int *code)
{
    return hkt_subprocess_wait_until(child, code, (hkt_deadline){ 0 });
}

int hkt_subprocess_send_signal(hkt_subprocess *child, int signo)
{
    hkti_guard_acquire(&child->guard);
    /* A zombie is not told, but those in its group are. */
    if (!child->process.leads)
        (void)settle(child);
    int err = child->gone ? -ESRCH : hkti_process_signal(&child->process, signo);
    hkti_guard_release(&child->guard);
    return err;
}

static bool hold(hkt_subprocess *child)
{
    hkti_guard_acquire(&child->guard);
    bool held = !child->gone;
    child->holders += held;
    hkti_guard_release(&child->guard);
    return held;
}

static void let_go(hkt_subprocess *child)
{
    hkti_guard_acquire(&child->guard);
    bool last = --child->holders == 0;
    if (last)
        (void)settle(child);
    hkti_guard_release(&child->guard);
    if (last)
        hkt_event_set(&child->over);
}

/* For who must not fail, in a shielded scope: 0, -ETIMEDOUT. Without memory or fds to wait as
 * others do, the thread waits. */
static int await_surely(const hkt_subprocess *child, int fd, int64_t deadline)
{
    int err = await_fd(child, "subprocess", fd, deadline);
    short revents = 0;
    if (err == 0 || err == -ETIMEDOUT)
        return err;
    do
        err = hkti_os_poll(fd, POLLIN, &revents, -1, deadline);
    while (err == 0 && revents == 0);
    return err;
}

/* Sends the signal, and SIGKILL when the deadline has passed, or when all have ended that can be
 * seen: the first one may have been too early for some. It is no more on return, but of a group
 * others may still be dying. */
static void finish(hkt_subprocess *child, int signo, hkt_deadline deadline)
{
    const struct hkti_process *process = &child->process;
    if (!hold(child))
        return;
    (void)hkti_process_signal(process, signo);
    if (signo != SIGKILL) {
        int err = await_surely(child, process->pidfd, deadline.ns), member;
        while (err == 0 && process->leads && (member = hkti_process_member(process)) >= 0) {
            err = await_surely(child, member, deadline.ns);
            hkti_os_close(member);
        }
        (void)hkti_process_signal(process, SIGKILL);
    }
    int code;
    for (unsigned turns = 0;
         await_surely(child, process->pidfd, 0) < 0 && hkti_process_look(process, true, &code) == 0;
         turns++)
        hkti_os_yield(turns); /* not even one fd can be polled */
    let_go(child);
}

int hkt_subprocess_end(hkt_subprocess *child, int *code)
{
    hkt_scope shield;
    hkt_scope_enter(&shield, &(hkt_scope_options){ .shield = true });
    finish(child, SIGTERM, hkt_after(child->patience));
    int err = hkt_subprocess_wait(child, code); /* others may still hold it */
    (void)hkt_scope_leave(&shield);
    return err;
}

void hkt_subprocess_destroy(hkt_subprocess *child)
{
    hkt_scope shield;
    if (child == NULL)
        return;
    hkt_scope_enter(&shield, &(hkt_scope_options){ .shield = true });
    finish(child, SIGKILL, (hkt_deadline){ 0 });
    (void)hkt_scope_leave(&shield);
    hkti_subprocess_give_back(child);
}

/* Communicating. */

/* What is read: behind its room. */
struct text {
    size_t room;
    char data[];
};

static struct text *text_of(char *data)
{
    return (struct text *)(void *)(data - offsetof(struct text, data));
}

static void release_text(char *data)
{
    if (data)
        hkti_release(text_of(data), sizeof(struct text) + text_of(data)->room);
}

void hkt_subprocess_result_free(hkt_subprocess_result *result)
{
    release_text(result->output);
    release_text(result->error);
    *result = (hkt_subprocess_result){ .output = NULL };
}

/* Room for more behind `size` bytes, and a zero: 0, -ENOMEM. */
static int make_room(char **data, size_t size)
{
    size_t room = *data ? text_of(*data)->room : 0;
    if (room > size + 1)
        return 0;
    room = room ? 2 * room : ROOM;
    struct text *more = hkti_allocate(sizeof *more + room);
    if (more == NULL)
        return -ENOMEM;
    more->room = room;
    if (size)
        memcpy(more->data, *data, size);
    release_text(*data);
    *data = more->data;
    return 0;
}

struct talk {
    hkt_subprocess *child;
    const char *input;
    size_t left; /* of it */
    hkt_subprocess_result *result;
    char *dropped; /* memory for what is not kept; NULL: none yet */
    int set;       /* the pipes that are open, `watched` in number; -1: none yet */
    int watched;
};

/* One try to read: how many bytes, 0 at the end, -EAGAIN, errors. */
static int read_some(struct talk *talk, hkt_stream *stream, char **data, size_t *size)
{
    size_t limit = talk->child->limit;
    if (*size >= limit) {
        if (talk->dropped == NULL && (talk->dropped = hkti_allocate(DROPPED)) == NULL)
            return -ENOMEM;
        int dropped = hkt_stream_read_nowait(stream, talk->dropped, DROPPED);
        talk->result->truncated |= dropped > 0;
        return dropped;
    }
    int err = make_room(data, *size);
    if (err < 0)
        return err;
    size_t room = text_of(*data)->room - *size - 1;
    int n = hkt_stream_read_nowait(stream, *data + *size,
                                   room < limit - *size ? room : limit - *size);
    if (n > 0) {
        *size += (size_t)n;
        (*data)[*size] = '\0';
    }
    return n;
}

/* One try to write: how many bytes, 0 if all is written or nobody wants more, -EAGAIN, errors. */
static int write_some(struct talk *talk, hkt_stream *stream)
{
    /* Without input: what the stream keeps, for closing it would wait for that. */
    int n = hkt_stream_write_nowait(stream, talk->input, talk->left);
    if (n == -EPIPE)
        return 0;
    if (n > 0) {
        talk->input += n;
        talk->left -= (size_t)n;
    }
    return n;
}

static bool is_open(const hkt_stream *stream)
{
    return stream && hkt_stream_fd(stream) >= 0;
}

/* One try of each pipe that is open; at its end it is closed. 1: something has happened, 0;
 * errors. */
static int try_each(struct talk *talk)
{
    hkt_stream **streams = talk->child->streams;
    hkt_subprocess_result *result = talk->result;
    int happened = 0;
    for (int i = 0; i < 3; i++) {
        int n = -EAGAIN;
        if (!is_open(streams[i]))
            continue;
        if (i == 0)
            n = write_some(talk, streams[i]);
        else if (i == 1)
            n = read_some(talk, streams[i], &result->output, &result->output_size);
        else
            n = read_some(talk, streams[i], &result->error, &result->error_size);
        if (n == 0)
            n = hkt_stream_close(streams[i]);
        if (n == -EPIPE) /* of what was kept for writing */
            n = 0;
        if (n < 0 && n != -EAGAIN)
            return n;
        happened |= n >= 0;
    }
    return happened;
}

/* Waits for one pipe as its stream does. */
static int await_one(hkt_stream *stream, short events)
{
    int err = hkti_channel_enter(&stream->channel);
    if (err < 0)
        return err;
    err = hkti_stream_await(stream, events);
    hkti_channel_leave(&stream->channel);
    return err;
}

/* Waits until one of the pipes that are open may be ready. The set is made anew when one has been
 * closed: it may live on in a child of somebody's fork, and would be told for ever. */
static int await_any(struct talk *talk)
{
    hkt_stream **streams = talk->child->streams;
    int open = 0, last = 0, err = 0;
    for (int i = 0; i < 3; i++)
        if (is_open(streams[i])) {
            open++;
            last = i;
        }
    if (open <= 1)
        return open ? await_one(streams[last], last == 0 ? POLLOUT : POLLIN) : 0;
    if (open != talk->watched) {
        hkti_os_close(talk->set);
        talk->watched = 0;
        talk->set = hkti_os_poller_open();
        err = talk->set < 0 ? talk->set : 0;
        for (int i = 0; err == 0 && i < 3; i++)
            if (is_open(streams[i]))
                err = hkti_os_poller_watch(talk->set, hkt_stream_fd(streams[i]),
                                           i == 0 ? POLLOUT : POLLIN, (uint64_t)i, HKTI_OS_ALWAYS);
        if (err < 0)
            return err;
        talk->watched = open;
    }
    return await_fd(talk->child, "subprocess: pipes", talk->set, 0);
}

static int talk_to_end(struct talk *talk)
{
    hkt_subprocess_result *result = talk->result;
    hkt_stream **streams = talk->child->streams;
    int err = hkti_cancelled(0);
    if (err == 0 && streams[1])
        err = make_room(&result->output, 0);
    if (err == 0 && streams[2])
        err = make_room(&result->error, 0);
    for (unsigned turns = 1; err == 0; turns++) {
        int happened = try_each(talk);
        if (happened < 0)
            return happened;
        if (!is_open(streams[0]) && !is_open(streams[1]) && !is_open(streams[2]))
            break;
        if (!happened)
            err = await_any(talk);
        else
            err = turns % TURNS ? hkt_checkpoint() : hkt_yield();
    }
    return err;
}

int hkt_subprocess_communicate(hkt_subprocess *child, const void *input, size_t size,
                               hkt_subprocess_result *result)
{
    struct talk talk = { .child = child, .input = input, .result = result, .set = -1 };
    talk.left = input ? size : 0;
    if (talk.left && !is_open(child->streams[0]))
        return hkt_fail(-EINVAL, "a subprocess gets %zu bytes of input, and has no pipe for it",
                        size);
    if (!hkti_cas_relaxed(&child->communicated, 0, 1))
        return hkt_fail(-EALREADY, "hkt_subprocess_communicate: it was called before");
    int err = talk_to_end(&talk);
    hkti_os_close(talk.set);
    hkti_release(talk.dropped, DROPPED);
    return err < 0 ? err : hkt_subprocess_wait(child, &result->code);
}

int hkt_subprocess_run(char *const argv[], const void *input, size_t size,
                       hkt_subprocess_result *result, const hkt_subprocess_options *options)
{
    hkt_subprocess_options chosen = { .patience = 0 };
    hkt_subprocess *child;
    if (options)
        chosen = *options;
    if (chosen.input == HKT_REDIRECT_INHERIT && input)
        chosen.input = HKT_REDIRECT_PIPE;
    if (chosen.output == HKT_REDIRECT_INHERIT)
        chosen.output = HKT_REDIRECT_PIPE;
    if (chosen.error == HKT_REDIRECT_INHERIT)
        chosen.error = HKT_REDIRECT_PIPE;
    int err = hkti_cancelled(0);
    if (err == 0)
        err = hkt_subprocess_exec(&child, argv, &chosen);
    if (err < 0)
        return err;
    err = hkt_subprocess_communicate(child, input, size, result);
    if (err < 0 && err != -ECHILD)
        (void)hkt_subprocess_end(child, &result->code);
    hkt_subprocess_destroy(child);
    return err;
}
