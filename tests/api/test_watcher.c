/* SPDX-License-Identifier: MIT */
/* Watchers: callbacks for fds that are ready. */
#include "loops.h"

static void open_pipe(int ends[2])
{
    CHECK_EQ(pipe2(ends, O_CLOEXEC | O_NONBLOCK), 0);
}

static void close_both(const int ends[2])
{
    close(ends[0]);
    close(ends[1]);
}

static void put_bytes(int fd, size_t count)
{
    char bytes[64] = { 0 };
    CHECK(count <= sizeof bytes);
    CHECK_EQ(write(fd, bytes, count), (ssize_t)count);
}

static void run_for(hkt_loop *loop, double seconds)
{
    CHECK_EQ(hkt_loop_run(loop, sleep_seconds, &seconds), 0);
}

/* Reads a byte at a time, and stops its loop when it has got all. */
struct reader {
    hkt_loop *loop;
    int fd;
    int wanted, got, calls;
    bool removes; /* itself, at the end */
};

static int read_byte(void *arg)
{
    struct reader *reader = arg;
    char byte;
    reader->calls++;
    ssize_t count = read(reader->fd, &byte, 1);
    CHECK(count == 1 || (count < 0 && errno == EAGAIN));
    reader->got += count == 1;
    if (reader->got == reader->wanted) {
        if (reader->removes)
            CHECK(hkt_loop_remove_watcher(reader->loop, reader->fd, HKT_READABLE));
        hkt_loop_stop(reader->loop);
    }
    return 0;
}

static void watch_reader(struct reader *reader)
{
    CHECK_EQ(hkt_loop_add_watcher(reader->loop, reader->fd, HKT_READABLE, read_byte, reader), 0);
}

TEST(a_watcher_is_called_as_long_as_there_is_something)
{
    int ends[2];
    open_pipe(ends);
    struct reader reader = { .loop = must_loop(), .fd = ends[0], .wanted = 10 };
    watch_reader(&reader);
    run_for(reader.loop, 0.01);
    CHECK_EQ(reader.calls, 0);
    put_bytes(ends[1], 10);
    CHECK_EQ(hkt_loop_run_forever(reader.loop), 0);
    CHECK_EQ(reader.got, 10);
    CHECK_EQ(reader.calls, 10);
    CHECK(hkt_loop_remove_watcher(reader.loop, ends[0], HKT_READABLE));
    CHECK(!hkt_loop_remove_watcher(reader.loop, ends[0], HKT_READABLE));
    put_bytes(ends[1], 1);
    run_for(reader.loop, 0.01);
    CHECK_EQ(reader.calls, 10);
    end_loop(reader.loop);
    close_both(ends);
}

static int write_slowly(void *arg)
{
    for (int i = 0; i < 50; i++) {
        put_bytes(*(int *)arg, 1);
        await_moment();
    }
    return 0;
}

TEST(a_watcher_is_called_for_what_another_thread_writes)
{
    int ends[2];
    struct caller caller;
    open_pipe(ends);
    struct reader reader = { .loop = must_loop(), .fd = ends[0], .wanted = 50, .removes = true };
    watch_reader(&reader);
    caller_start(&caller, write_slowly, &ends[1]);
    CHECK_EQ(hkt_loop_run_forever(reader.loop), 0);
    CHECK_EQ(reader.got, 50);
    CHECK_EQ(caller_end(&caller), 0);
    CHECK(!hkt_loop_remove_watcher(reader.loop, ends[0], HKT_READABLE));
    end_loop(reader.loop);
    close_both(ends);
}

static int write_block(void *arg)
{
    static const char block[1000];
    struct reader *writer = arg;
    writer->calls++;
    CHECK(write(writer->fd, block, sizeof block) > 0); /* there is room */
    return 0;
}

static bool is_full(int fd)
{
    return hkt_fd_wait_until(fd, HKT_WRITABLE, hkt_after(0)) == -ETIMEDOUT;
}

TEST(a_watcher_is_called_as_long_as_there_is_room)
{
    int ends[2];
    open_pipe(ends);
    struct reader writer = { .loop = must_loop(), .fd = ends[1] };
    CHECK_EQ(hkt_loop_add_watcher(writer.loop, ends[1], HKT_WRITABLE, write_block, &writer), 0);
    while (!is_full(ends[1]))
        run_for(writer.loop, 0.001);
    int calls = writer.calls;
    CHECK(calls > 1);
    run_for(writer.loop, 0.01);
    CHECK_EQ(writer.calls, calls);
    char room[4096];
    while (read(ends[0], room, sizeof room) > 0)
        ;
    run_for(writer.loop, 0.01);
    CHECK(writer.calls > calls);
    CHECK(hkt_loop_remove_watcher(writer.loop, ends[1], HKT_WRITABLE));
    end_loop(writer.loop);
    close_both(ends);
}

static int count_call(void *arg)
{
    struct reader *reader = arg;
    reader->calls++;
    return 0;
}

TEST(one_fd_is_watched_in_both_directions)
{
    int ends[2];
    CHECK_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends), 0);
    struct reader reader = { .loop = must_loop(), .fd = ends[0], .wanted = 5 };
    struct reader writer = { .loop = reader.loop, .fd = ends[0] };
    watch_reader(&reader);
    CHECK_EQ(hkt_loop_add_watcher(reader.loop, ends[0], HKT_WRITABLE, count_call, &writer), 0);
    run_for(reader.loop, 0.005);
    CHECK(writer.calls > 0);
    CHECK_EQ(reader.calls, 0);
    CHECK(hkt_loop_remove_watcher(reader.loop, ends[0], HKT_WRITABLE));
    int calls = writer.calls;
    put_bytes(ends[1], 5);
    CHECK_EQ(hkt_loop_run_forever(reader.loop), 0);
    CHECK_EQ(reader.got, 5);
    CHECK_EQ(writer.calls, calls);
    CHECK(hkt_loop_remove_watcher(reader.loop, ends[0], HKT_READABLE));
    end_loop(reader.loop);
    close_both(ends);
}

static int must_not_be_called(void *arg)
{
    (void)arg;
    test_fail(__FILE__, __LINE__, "a watcher was called that had been replaced");
    return 0;
}

TEST(the_last_watcher_counts)
{
    int ends[2];
    open_pipe(ends);
    struct reader reader = { .loop = must_loop(), .fd = ends[0], .wanted = 3 };
    CHECK_EQ(hkt_loop_add_watcher(reader.loop, ends[0], HKT_READABLE, must_not_be_called, NULL), 0);
    watch_reader(&reader); /* before it has begun */
    put_bytes(ends[1], 3);
    CHECK_EQ(hkt_loop_run_forever(reader.loop), 0);
    CHECK_EQ(hkt_loop_add_watcher(reader.loop, ends[0], HKT_READABLE, must_not_be_called, NULL), 0);
    run_for(reader.loop, 0.001);
    watch_reader(&reader); /* while it waits */
    reader.wanted = 6;
    put_bytes(ends[1], 3);
    CHECK_EQ(hkt_loop_run_forever(reader.loop), 0);
    CHECK_EQ(reader.got, 6);
    CHECK(hkt_loop_remove_watcher(reader.loop, ends[0], HKT_READABLE));
    CHECK(!hkt_loop_remove_watcher(reader.loop, ends[0], HKT_READABLE));
    end_loop(reader.loop);
    close_both(ends);
}

static int replace_itself(void *arg)
{
    struct reader *reader = arg;
    reader->calls += 100;
    watch_reader(reader);
    return 0;
}

static int remove_and_add_itself(void *arg)
{
    struct reader *reader = arg;
    CHECK(hkt_loop_remove_watcher(reader->loop, reader->fd, HKT_READABLE));
    CHECK(!hkt_loop_remove_watcher(reader->loop, reader->fd, HKT_READABLE));
    return replace_itself(arg);
}

TEST(a_watcher_replaces_itself)
{
    hkt_job *jobs[] = { replace_itself, remove_and_add_itself };
    for (int i = 0; i < 2; i++) {
        int ends[2];
        open_pipe(ends);
        struct reader reader = { .loop = must_loop(), .fd = ends[0], .wanted = 3, .removes = true };
        CHECK_EQ(hkt_loop_add_watcher(reader.loop, ends[0], HKT_READABLE, jobs[i], &reader), 0);
        put_bytes(ends[1], 3);
        CHECK_EQ(hkt_loop_run_forever(reader.loop), 0);
        CHECK_EQ(reader.got, 3);
        CHECK_EQ(reader.calls, 103);
        hkt_loop_destroy(reader.loop);
        close_both(ends);
    }
    check_finalized();
}

/* The callback waits; meanwhile it is taken back, and the fd closed. */
struct slow {
    hkt_loop *loop;
    struct gate gate;
    int calls;
};

static int be_slow(void *arg)
{
    struct slow *slow = arg;
    slow->calls++;
    return stand_at(&slow->gate);
}

static int take_back_meanwhile(void *arg)
{
    struct slow *slow = arg;
    int ends[2];
    open_pipe(ends);
    put_bytes(ends[1], 1);
    CHECK_EQ(hkt_loop_add_watcher(slow->loop, ends[0], HKT_READABLE, be_slow, slow), 0);
    CHECK_EQ(hkt_event_wait(&slow->gate.entered), 0);
    CHECK(hkt_loop_remove_watcher(slow->loop, ends[0], HKT_READABLE));
    close_both(ends);
    hkt_event_set(&slow->gate.open);
    CHECK_EQ(hkt_sleep(0.01), 0);
    CHECK_EQ(slow->calls, 1);
    return 0;
}

TEST(a_watcher_is_taken_back_while_its_callback_waits)
{
    struct lines lines;
    lines_open(&lines);
    struct slow slow = { .loop = must_loop() };
    CHECK_EQ(hkt_loop_run(slow.loop, take_back_meanwhile, &slow), 0);
    end_loop(slow.loop);
    CHECK_EQ(lines_count(&lines), 0);
}

static int fail_and_read(void *arg)
{
    CHECK_EQ(read_byte(arg), 0);
    return hkt_fail(-EIO, "the line is dead");
}

TEST(a_watcher_that_fails_is_reported_and_goes_on)
{
    struct lines lines;
    int ends[2];
    lines_open(&lines);
    open_pipe(ends);
    struct reader reader = { .loop = must_loop(), .fd = ends[0], .wanted = 3 };
    CHECK_EQ(hkt_loop_add_watcher(reader.loop, ends[0], HKT_READABLE, fail_and_read, &reader), 0);
    put_bytes(ends[1], 3);
    CHECK_EQ(hkt_loop_run_forever(reader.loop), 0);
    CHECK(hkt_loop_remove_watcher(reader.loop, ends[0], HKT_READABLE));
    end_loop(reader.loop);
    close_both(ends);
    CHECK(lines_count(&lines) >= 2);
    CHECK(lines_have(&lines, "the line is dead"));
}

static int see_end(void *arg)
{
    struct reader *reader = arg;
    char byte;
    CHECK_EQ(read(reader->fd, &byte, 1), 0);
    CHECK(hkt_loop_remove_watcher(reader->loop, reader->fd, HKT_READABLE));
    hkt_loop_stop(reader->loop);
    return 0;
}

TEST(a_watcher_is_called_at_the_end_of_the_file)
{
    int ends[2];
    open_pipe(ends);
    struct reader reader = { .loop = must_loop(), .fd = ends[0] };
    CHECK_EQ(hkt_loop_add_watcher(reader.loop, ends[0], HKT_READABLE, see_end, &reader), 0);
    run_for(reader.loop, 0.001);
    close(ends[1]);
    CHECK_EQ(hkt_loop_run_forever(reader.loop), 0);
    close(ends[0]);
    end_loop(reader.loop);
}

/* Of which nobody has to wait for anything; and others go on all the same. */
TEST(a_regular_file_is_always_ready)
{
    int fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
    CHECK(fd >= 0);
    struct reader reader = { .loop = must_loop(), .fd = fd, .wanted = 1000, .removes = true };
    watch_reader(&reader);
    run_for(reader.loop, 0.001);
    if (reader.got < reader.wanted)
        CHECK_EQ(hkt_loop_run_forever(reader.loop), 0);
    CHECK_EQ(reader.got, 1000);
    close(fd);
    end_loop(reader.loop);
}

TEST(what_cannot_be_watched_is_told)
{
    struct lines lines;
    int ends[2];
    lines_open(&lines);
    open_pipe(ends);
    hkt_loop *loop = must_loop();
    CHECK_EQ(hkt_loop_add_watcher(loop, -1, HKT_READABLE, do_nothing, NULL), -EBADF);
    CHECK_EQ(hkt_loop_add_watcher(loop, ends[0], 0, do_nothing, NULL), -EINVAL);
    CHECK_EQ(hkt_loop_add_watcher(loop, ends[0], HKT_READABLE | HKT_WRITABLE, do_nothing, NULL),
             -EINVAL);
    CHECK_EQ(hkt_loop_add_watcher(loop, ends[0], HKT_READABLE, NULL, NULL), -EINVAL);
    CHECK(!hkt_loop_remove_watcher(loop, ends[0], HKT_READABLE));
    CHECK(!hkt_loop_remove_watcher(loop, -1, HKT_READABLE));
    close_both(ends);
    CHECK_EQ(lines_count(&lines), 0);
    CHECK_EQ(hkt_loop_add_watcher(loop, ends[0], HKT_READABLE, do_nothing, NULL), 0);
    run_for(loop, 0.001);
    CHECK_EQ(lines_count(&lines), 1); /* and it is gone */
    CHECK(lines_have(&lines, "cannot watch fd"));
    CHECK(!hkt_loop_remove_watcher(loop, ends[0], HKT_READABLE));
    end_loop(loop);
}

/* The number of a closed fd is used again, for another watcher. */
TEST(the_number_of_an_fd_is_used_again)
{
    hkt_loop *loop = must_loop();
    int first = -1;
    for (int i = 0; i < 100; i++) {
        int ends[2];
        open_pipe(ends);
        first = first < 0 ? ends[0] : first;
        CHECK_EQ(ends[0], first);
        struct reader reader = { .loop = loop, .fd = ends[0], .wanted = 1 };
        watch_reader(&reader);
        if (i % 2)
            run_for(loop, 0.0001);
        CHECK_EQ(reader.calls, 0); /* nothing of the one before */
        put_bytes(ends[1], 1);
        CHECK_EQ(hkt_loop_run_forever(loop), 0);
        CHECK_EQ(reader.got, 1);
        CHECK(hkt_loop_remove_watcher(loop, ends[0], HKT_READABLE));
        close_both(ends);
    }
    end_loop(loop);
}
