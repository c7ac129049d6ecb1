/* SPDX-License-Identifier: MIT */
/* What tests of streams use: streams of each kind, and somebody beside the test who makes one
 * call: a task where the test is a task, else a thread. So the same test holds in a loop and out
 * of it. */
#ifndef HOCKET_TESTS_STREAMS_H
#define HOCKET_TESTS_STREAMS_H

#include <netinet/in.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/uio.h>

#include "loops.h"
#include "random.h"

enum { PIPE, PAIR, TCP, TRANSPORTS };

static inline hkt_listener *must_listen(hkt_address *address)
{
    hkt_listener *listener = NULL;
    CHECK_EQ(hkt_listener_create(&listener, "127.0.0.1", 0, NULL), 0);
    CHECK_EQ(hkt_listener_address(listener, address), 0);
    return listener;
}

static inline hkt_stream *must_connect(const hkt_address *address)
{
    hkt_stream *stream = NULL;
    CHECK_EQ(hkt_stream_connect_address(&stream, address, NULL), 0);
    return stream;
}

/* streams[0] reads what is written to streams[1], and the other way round unless it is a pipe. */
static inline void must_open(int transport, hkt_stream *streams[2])
{
    hkt_address address;
    if (transport == PIPE) {
        CHECK_EQ(hkt_stream_pipe(&streams[0], &streams[1]), 0);
    } else if (transport == PAIR) {
        CHECK_EQ(hkt_stream_pair(streams), 0);
    } else {
        hkt_listener *listener = must_listen(&address);
        streams[1] = must_connect(&address);
        CHECK_EQ(hkt_listener_accept(listener, &streams[0]), 0);
        hkt_listener_destroy(listener);
    }
}

static inline void close_streams(hkt_stream *streams[2])
{
    hkt_stream_destroy(streams[0]);
    hkt_stream_destroy(streams[1]);
}

static inline void put(hkt_stream *stream, const char *text)
{
    CHECK_EQ(hkt_stream_write(stream, text, strlen(text)), 0);
}

/* Reads just this. */
static inline void get(hkt_stream *stream, const char *text)
{
    char data[256] = { 0 };
    CHECK_EQ(hkt_stream_read_exactly(stream, data, strlen(text), NULL), 0);
    CHECK_STR(data, text);
}

/* Until the system takes no more: how many bytes. */
static inline size_t stuff(hkt_stream *stream)
{
    static const char zeros[65536];
    size_t total = 0;
    int n;
    while ((n = hkt_stream_write_nowait(stream, zeros, sizeof zeros)) > 0)
        total += (size_t)n;
    CHECK_EQ(n, -EAGAIN);
    return total;
}

/* Numbered bytes, so that one that is lost or doubled is seen. */
static inline void number_bytes(unsigned char *data, size_t size, uint64_t from)
{
    for (size_t i = 0; i < size; i++)
        data[i] = (unsigned char)((from + i) * 2654435761u >> 13);
}

static inline void check_bytes(const unsigned char *data, size_t size, uint64_t from)
{
    unsigned char byte;
    for (size_t i = 0; i < size; i++) {
        number_bytes(&byte, 1, from + i);
        if (data[i] != byte)
            test_fail(__FILE__, __LINE__, "byte %llu is not what was sent",
                      (unsigned long long)(from + i));
    }
}

struct beside {
    struct caller caller;
    hkt_task *task; /* NULL: a thread */
};

static inline void beside_start(struct beside *beside, int (*call)(void *), void *arg)
{
    *beside = (struct beside){ .task = NULL };
    if (hkt_loop_running() == NULL) {
        caller_start(&beside->caller, call, arg);
        return;
    }
    beside->caller.call = call;
    beside->caller.arg = arg;
    CHECK_EQ(hkt_task_spawn(&beside->task, caller_run, &beside->caller), 0);
}

static inline bool task_waits_for(const void *object)
{
    static _Thread_local hkt_task_info infos[256];
    size_t count = hkt_task_all(infos, 256);
    for (size_t i = 0; i < count && i < 256; i++)
        if (infos[i].waits_for && infos[i].object == object)
            return true;
    return false;
}

/* Until it waits for this object. */
static inline void beside_await(const struct beside *beside, const void *object)
{
    if (beside->task)
        YIELD_UNTIL(task_waits_for(object));
    else
        await_waiting_for(beside->caller.thread, object);
}

static inline void beside_start_waiting(struct beside *beside, int (*call)(void *), void *arg,
                                        const void *object)
{
    beside_start(beside, call, arg);
    beside_await(beside, object);
}

static inline void beside_cancel(struct beside *beside)
{
    while (!atomic_load(&beside->caller.in_scope))
        if (beside->task)
            CHECK_EQ(hkt_yield(), 0);
        else
            await_moment();
    hkt_scope_cancel(&beside->caller.scope);
}

/* Waits for its end: what the call returned. */
static inline int beside_end(struct beside *beside)
{
    if (beside->task == NULL)
        return caller_end(&beside->caller);
    CHECK_EQ(hkt_future_finish(beside->task), 0);
    return beside->caller.result;
}

/* A call with a stream and memory. */
struct call {
    hkt_stream *stream;
    char *data;
    size_t size, count;
};

static inline int call_read(void *arg)
{
    struct call *call = arg;
    return hkt_stream_read(call->stream, call->data, call->size);
}

static inline int call_read_exactly(void *arg)
{
    struct call *call = arg;
    return hkt_stream_read_exactly(call->stream, call->data, call->size, &call->count);
}

static inline int call_read_line(void *arg)
{
    struct call *call = arg;
    return hkt_stream_read_line(call->stream, call->data, call->size);
}

static inline int call_read_until(void *arg)
{
    struct call *call = arg;
    return hkt_stream_read_until(call->stream, call->data, call->size, "##", 2);
}

static inline int call_peek(void *arg)
{
    struct call *call = arg;
    return hkt_stream_peek(call->stream, call->data, call->size);
}

static inline int call_write(void *arg)
{
    struct call *call = arg;
    return hkt_stream_write(call->stream, call->data, call->size);
}

static int (*const reading_calls[])(void *) = { call_read, call_read_exactly, call_read_line,
                                                call_read_until, call_peek };
enum { READING_CALLS = sizeof reading_calls / sizeof *reading_calls };

#endif
