/* SPDX-License-Identifier: MIT */
/* How a way to pass messages between processes becomes a system of bench_shared_queue. Errors end the
 * program. */
#ifndef BENCH_SHARED_QUEUE_SYSTEMS_H
#define BENCH_SHARED_QUEUE_SYSTEMS_H

#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

struct passing_system {
    const char *name;
    /* Before the fork: with room for so many messages of this size; NULL: not on this machine. */
    void *(*create)(size_t size, int capacity);
    /* After it, by each; NULL: nothing. */
    void (*begin)(void *passing, int consumer);
    void (*put)(void *passing, const void *message, size_t size);
    void (*get)(void *passing, void *message, size_t size);
    void (*destroy)(void *passing);
};

extern const struct passing_system passing_hocket, passing_arena, passing_ring, passing_boost,
    passing_zmq, passing_mq, passing_pipe, passing_seqpacket;

#ifdef __cplusplus
}
#endif
#endif
