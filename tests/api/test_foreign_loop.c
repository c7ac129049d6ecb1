/* SPDX-License-Identifier: MIT */
/* A loop inside the loops of others: a plain poll(), GLib's main loop, and libuv's, where they are. */
#include <poll.h>

#include "loops.h"

#ifdef HAVE_GLIB
#include <glib-unix.h>
#endif
#ifdef HAVE_UV
#include <uv.h>
#endif

/* A loop in a foreign one, which runs until it is over. */
struct foreign {
    hkt_loop *loop;
    int fd;
    atomic_bool over;
    long steps;
    void (*between)(struct foreign *foreign); /* called after each step; NULL */
    struct log log;
    struct gate gate;
    int ends[2];
};

static void step(struct foreign *foreign)
{
    CHECK(hkt_loop_step(foreign->loop) >= 0);
    foreign->steps++;
    if (foreign->between)
        foreign->between(foreign);
}

static void drive_by_poll(struct foreign *foreign)
{
    while (!atomic_load(&foreign->over)) {
        struct pollfd interest = { .fd = foreign->fd, .events = POLLIN };
        int count = poll(&interest, 1, -1);
        CHECK(count == 1 || errno == EINTR);
        if (count == 1)
            step(foreign);
    }
}

#ifdef HAVE_GLIB
struct in_glib {
    struct foreign *foreign;
    GMainLoop *main;
};

static gboolean glib_ready(gint fd, GIOCondition condition, gpointer data)
{
    struct in_glib *in = data;
    CHECK_EQ(fd, in->foreign->fd);
    CHECK(condition & G_IO_IN);
    step(in->foreign);
    if (atomic_load(&in->foreign->over))
        g_main_loop_quit(in->main);
    return G_SOURCE_CONTINUE;
}

static void drive_by_glib(struct foreign *foreign)
{
    GMainContext *context = g_main_context_new();
    struct in_glib in = { foreign, g_main_loop_new(context, FALSE) };
    GSource *source = g_unix_fd_source_new(foreign->fd, G_IO_IN);
    g_source_set_callback(source, G_SOURCE_FUNC(glib_ready), &in, NULL);
    g_source_attach(source, context);
    g_main_loop_run(in.main);
    g_source_destroy(source);
    g_source_unref(source);
    g_main_loop_unref(in.main);
    g_main_context_unref(context);
}
#endif

#ifdef HAVE_UV
static void uv_ready(uv_poll_t *handle, int status, int events)
{
    struct foreign *foreign = handle->data;
    CHECK_EQ(status, 0);
    CHECK(events & UV_READABLE);
    step(foreign);
    if (atomic_load(&foreign->over))
        uv_close((uv_handle_t *)handle, NULL);
}

static void drive_by_uv(struct foreign *foreign)
{
    uv_loop_t loop;
    uv_poll_t handle;
    CHECK_EQ(uv_loop_init(&loop), 0);
    CHECK_EQ(uv_poll_init(&loop, &handle, foreign->fd), 0);
    handle.data = foreign;
    CHECK_EQ(uv_poll_start(&handle, UV_READABLE, uv_ready), 0);
    CHECK_EQ(uv_run(&loop, UV_RUN_DEFAULT), 0);
    CHECK_EQ(uv_loop_close(&loop), 0);
    uv_library_shutdown();
}
#endif

typedef void drive(struct foreign *foreign);
static drive *const drivers[] = {
    drive_by_poll,
#ifdef HAVE_GLIB
    drive_by_glib,
#endif
#ifdef HAVE_UV
    drive_by_uv,
#endif
};

/* What is prepared: then the foreign loop runs until somebody says that it is over. */
static void in_each(void (*prepare)(struct foreign *foreign), void (*look)(struct foreign *foreign))
{
    for (size_t i = 0; i < sizeof drivers / sizeof *drivers; i++) {
        struct foreign foreign = { .loop = must_loop() };
        CHECK_EQ(pipe(foreign.ends), 0);
        foreign.fd = hkt_loop_fd(foreign.loop);
        CHECK(foreign.fd >= 0);
        CHECK_EQ(hkt_loop_fd(foreign.loop), foreign.fd);
        prepare(&foreign);
        drivers[i](&foreign);
        if (look)
            look(&foreign);
        hkt_loop_destroy(foreign.loop);
        close(foreign.ends[0]);
        close(foreign.ends[1]);
    }
    check_finalized();
}

static int be_over(void *arg)
{
    struct foreign *foreign = arg;
    atomic_store(&foreign->over, true);
    return 0;
}

static void submit(struct foreign *foreign, hkt_job *job, void *arg)
{
    CHECK_EQ(hkt_submit(hkt_loop_executor(foreign->loop), NULL, job, arg), 0);
}

/* Timers. Who asks for a time that has passed does not sleep: the order counts where both had asked
 * before the first time came. */

static struct entry entries[4];
static double began, unit;
static bool in_time, always_in_time;

static int see_whether_in_time(void *arg)
{
    in_time = !hkt_deadline_passed(entry_time(arg));
    always_in_time &= in_time;
    return 0;
}

static void prepare_timers(struct foreign *foreign)
{
    struct log *log = &foreign->log;
    began = hkt_monotonic();
    log->start = hkt_after(0.001);
    entries[0] = (struct entry){ log, 'c', 3 * unit };
    entries[1] = (struct entry){ log, 'a', unit };
    entries[2] = (struct entry){ log, 'b', 2 * unit };
    entries[3] = (struct entry){ log, 'd', 0 };
    submit(foreign, sleep_and_write_entry, &entries[0]);
    submit(foreign, sleep_and_write_entry, &entries[1]);
    submit(foreign, see_whether_in_time, &entries[1]);
    CHECK_EQ(
        hkt_loop_call_at(foreign->loop, NULL, entry_time(&entries[2]), write_entry, &entries[2]),
        0);
    CHECK_EQ(hkt_loop_call_later(foreign->loop, NULL, -1, write_entry, &entries[3]), 0);
    CHECK_EQ(hkt_loop_call_later(foreign->loop, NULL, 10 * unit, be_over, foreign), 0);
}

static void look_at_timers(struct foreign *foreign)
{
    CHECK(hkt_monotonic() - began >= 10 * unit);
    if (in_time)
        CHECK_STR(foreign->log.text, "dabc");
    if (foreign->steps > 20)
        test_fail(__FILE__, __LINE__, "%ld steps for a few timers", foreign->steps);
}

TEST(timers_go_off_inside_foreign_loops)
{
    for (unit = 0.01; !always_in_time; unit *= 2) {
        always_in_time = true;
        in_each(prepare_timers, look_at_timers);
    }
}

/* A call that is earlier than the others, set between two steps; and one taken back. */
static hkt_handle handle;

static void set_an_earlier_one(struct foreign *foreign)
{
    foreign->between = NULL;
    CHECK_EQ(hkt_loop_call_later(foreign->loop, NULL, 0.01, be_over, foreign), 0);
    CHECK(hkt_handle_cancel(&handle));
}

static void prepare_an_earlier_one(struct foreign *foreign)
{
    CHECK_EQ(hkt_loop_call_later(foreign->loop, &handle, 1000, do_nothing, NULL), 0);
    submit(foreign, do_nothing, NULL);
    foreign->between = set_an_earlier_one;
}

TEST(timers_are_set_between_steps)
{
    in_each(prepare_an_earlier_one, NULL);
}

/* fds. */

static int read_and_be_over(void *arg)
{
    struct foreign *foreign = arg;
    char byte;
    for (int i = 0; i < 10; i++) {
        CHECK_EQ(hkt_fd_wait(foreign->ends[0], HKT_READABLE), HKT_READABLE);
        CHECK_EQ(read(foreign->ends[0], &byte, 1), 1);
    }
    return be_over(foreign);
}

static int write_ten(void *arg)
{
    for (int i = 0; i < 10; i++) {
        CHECK_EQ(write(*(int *)arg, "x", 1), 1);
        await_spinning(0.0005);
    }
    return 0;
}

static struct caller caller;

static void prepare_fds(struct foreign *foreign)
{
    submit(foreign, read_and_be_over, foreign);
    caller_start(&caller, write_ten, &foreign->ends[1]);
}

static void end_caller(struct foreign *foreign)
{
    (void)foreign;
    CHECK_EQ(caller_end(&caller), 0);
}

TEST(fds_are_waited_for_inside_foreign_loops)
{
    in_each(prepare_fds, end_caller);
}

static int take_byte(void *arg)
{
    struct foreign *foreign = arg;
    char byte;
    CHECK_EQ(read(foreign->ends[0], &byte, 1), 1);
    log_add(&foreign->log, 'x');
    return foreign->log.length == 10 ? be_over(foreign) : 0;
}

static void prepare_watcher(struct foreign *foreign)
{
    CHECK_EQ(
        hkt_loop_add_watcher(foreign->loop, foreign->ends[0], HKT_READABLE, take_byte, foreign), 0);
    caller_start(&caller, write_ten, &foreign->ends[1]);
}

TEST(fds_are_watched_inside_foreign_loops)
{
    in_each(prepare_watcher, end_caller);
}

/* Other threads. */

static int submit_from_outside(void *arg)
{
    struct foreign *foreign = arg;
    for (long i = 0; i < test_scaled(500); i++) {
        hkt_future *task = must_submit(hkt_loop_executor(foreign->loop), do_nothing, NULL);
        CHECK_EQ(hkt_future_finish(task), 0);
        CHECK_EQ(hkt_loop_call_soon(foreign->loop, NULL, do_nothing, NULL), 0);
    }
    CHECK_EQ(hkt_loop_call_soon(foreign->loop, NULL, be_over, foreign), 0);
    return 0;
}

static void prepare_submits(struct foreign *foreign)
{
    caller_start(&caller, submit_from_outside, foreign);
}

TEST_TIMEOUT(other_threads_hand_in_work_inside_foreign_loops, 60)
{
    in_each(prepare_submits, end_caller);
}

static int stand_and_be_over(void *arg)
{
    struct foreign *foreign = arg;
    CHECK_EQ(stand_at(&foreign->gate), 0);
    return be_over(foreign);
}

static int open_gate(void *arg)
{
    struct gate *gate = arg;
    CHECK_EQ(hkt_event_wait(&gate->entered), 0);
    await_spinning(0.001);
    hkt_event_set(&gate->open);
    return 0;
}

static void prepare_gate(struct foreign *foreign)
{
    submit(foreign, stand_and_be_over, foreign);
    caller_start(&caller, open_gate, &foreign->gate);
}

TEST(other_threads_wake_tasks_inside_foreign_loops)
{
    in_each(prepare_gate, end_caller);
}

/* The foreign loop's own callbacks: the same thread, between two steps. */

static void open_between(struct foreign *foreign)
{
    if (!hkt_event_is_set(&foreign->gate.entered))
        return;
    hkt_event_set(&foreign->gate.open);
    foreign->between = NULL;
}

static void prepare_between(struct foreign *foreign)
{
    submit(foreign, stand_and_be_over, foreign);
    foreign->between = open_between;
}

TEST(tasks_are_woken_between_steps)
{
    in_each(prepare_between, NULL);
}

static void call_between(struct foreign *foreign)
{
    foreign->between = NULL;
    CHECK_EQ(hkt_loop_call_soon(foreign->loop, NULL, be_over, foreign), 0);
}

static void submit_between(struct foreign *foreign)
{
    submit(foreign, do_nothing, NULL);
    foreign->between = call_between;
}

static void prepare_calls_between(struct foreign *foreign)
{
    submit(foreign, do_nothing, NULL);
    foreign->between = submit_between;
}

TEST(work_is_handed_in_between_steps)
{
    in_each(prepare_calls_between, NULL);
}

static hkt_future *victim;

static int sleep_and_be_over(void *arg)
{
    CHECK_EQ(hkt_sleep(INFINITY), -ECANCELED);
    return be_over(arg);
}

static void cancel_between(struct foreign *foreign)
{
    CHECK_EQ(hkt_future_request_cancel(victim), 0);
    foreign->between = NULL;
}

static void prepare_cancel(struct foreign *foreign)
{
    victim = must_submit(hkt_loop_executor(foreign->loop), sleep_and_be_over, foreign);
    foreign->between = cancel_between;
}

static void destroy_victim(struct foreign *foreign)
{
    (void)foreign;
    hkt_future_destroy(victim);
}

TEST(tasks_are_cancelled_between_steps)
{
    in_each(prepare_cancel, destroy_victim);
}

/* Signals: while the foreign loop sleeps, and in the midst of a step. */

static int send_signal(void *arg)
{
    (void)arg;
    await_spinning(0.002);
    CHECK_EQ(kill(getpid(), SIGUSR1), 0);
    return 0;
}

static void prepare_signal(struct foreign *foreign)
{
    CHECK_EQ(hkt_loop_add_signal_handler(foreign->loop, SIGUSR1, be_over, foreign), 0);
    caller_start(&caller, send_signal, NULL);
}

TEST(signals_are_heard_inside_foreign_loops)
{
    in_each(prepare_signal, end_caller);
}

static int raise_signal(void *arg)
{
    (void)arg;
    CHECK_EQ(raise(SIGUSR1), 0);
    return 0;
}

static void prepare_signal_in_step(struct foreign *foreign)
{
    CHECK_EQ(hkt_loop_add_signal_handler(foreign->loop, SIGUSR1, be_over, foreign), 0);
    submit(foreign, raise_signal, NULL);
}

TEST(signals_in_the_midst_of_a_step_are_heard)
{
    in_each(prepare_signal_in_step, NULL);
}

/* Much to do, and nothing. */

static int take_many_turns(void *arg)
{
    struct foreign *foreign = arg;
    for (long i = 0; i < 1000; i++)
        CHECK_EQ(hkt_yield(), 0);
    return be_over(foreign);
}

static void prepare_turns(struct foreign *foreign)
{
    submit(foreign, take_many_turns, foreign);
}

/* A step ends after some time, so the foreign loop has its turns too. */
static void look_at_turns(struct foreign *foreign)
{
    CHECK(foreign->steps >= 2);
}

TEST(a_step_is_bounded)
{
    in_each(prepare_turns, look_at_turns);
}

static double cpu_before;

static void prepare_idleness(struct foreign *foreign)
{
    submit(foreign, sleep_forever, NULL);
    CHECK_EQ(hkt_loop_add_watcher(foreign->loop, foreign->ends[0], HKT_READABLE, do_nothing, NULL),
             0);
    CHECK_EQ(hkt_loop_call_later(foreign->loop, NULL, 0.5, be_over, foreign), 0);
    cpu_before = cpu_seconds();
}

static void look_at_idleness(struct foreign *foreign)
{
    check_idle_since(cpu_before);
    if (foreign->steps > 20)
        test_fail(__FILE__, __LINE__, "%ld steps while nothing was to do", foreign->steps);
}

TEST(an_idle_loop_does_not_spin_in_foreign_loops)
{
    in_each(prepare_idleness, look_at_idleness);
}
