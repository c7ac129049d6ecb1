/* SPDX-License-Identifier: MIT */
/* A process, as its parent has it, and its record in the arena, which parent, server and child share.
 *
 * The record is allocated by the parent, and released by it when it has the end and no handle is left;
 * by its server, when the parent has died. Its `over` is set to 1 and its bell rung by who has seen
 * the end: the fork server, or for a copy by fork the supervisor of its forker. What comes before
 * that (result, sentence, by the child; status, by who sees the end) is there for who has seen
 * `over`. Likewise `answered`, by who has started it or could not: then `error`, and if that is 0
 * `pid`, are known. Both are looked at, and set before a ring of the bell (pairs: bell); `left` is the
 * last touch of who has rung for the end, or for a start that failed (pairs: record-left). */
#ifndef HKTI_PROC_PROCESS_H
#define HKTI_PROC_PROCESS_H

#include <hocket/error.h>
#include <hocket/process.h>

#include "base/list.h"
#include "proc/bell.h"
#include "proc/identity.h"

struct hkti_process_record {
    struct hkti_bell bell;
    uint32_t over;
    uint32_t answered;
    uint32_t left;
    int32_t error;   /* of the start, with its sentence; */
    uint32_t token;  /* the child's */
    uint32_t parent; /* the parent's */
    int32_t parent_pid;
    int32_t pid;
    int32_t status;    /* of waitpid */
    int32_t result;    /* of the function; */
    uint32_t returned; /* 1: it is one */
    uint32_t daemon;
    uint32_t method;
    uint32_t tell; /* 1: the parent's supervisor wants to know of the end */
    uint32_t ignore_interrupts;
    uint32_t fd_count; /* of the numbers that follow the argument, its size rounded up to 16 */
    hkti_function_name function;
    char name[HKT_NAME_MAX];
    char parent_name[HKT_NAME_MAX];
    char sentence[HKT_SENTENCE_MAX];
    void *pointer; /* the argument itself, if it has no size: NULL, or into shared memory */
    uint64_t size; /* of the argument, which follows */
    char argument[] __attribute__((aligned(16)));
};

/* Starts a process like hkt_process_spawn, and has ended(arg) called by the supervisor, once, as soon as
 * it has ended and is buried: before that the handle must not be destroyed. `ignore`: it ignores
 * SIGINT and SIGQUIT. `server`: of whom, NULL: the process's own (by the method in options). */
struct hkti_server;
int hkti_process_spawn(hkt_process **process, hkt_job *function, const void *arg, size_t size,
                       const hkt_process_options *options, struct hkti_server *server,
                       bool ignore_interrupts, void (*ended)(void *arg), void *arg_of_ended);

/* A fork server that is a copy of this process as it is now (pools of HKT_START_FORK): 0, errors of
 * hkt_process_start. Ends with hkti_server_destroy, or its owner. */
int hkti_server_fork(struct hkti_server **server);
void hkti_server_destroy(struct hkti_server *server);

const struct hkti_process_record *hkti_process_record(const hkt_process *process);

#endif
