/* SPDX-License-Identifier: MIT */
/* See process_pool_rivals.h. */
#include "process_pool_rivals.h"

#include <stdlib.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

struct request {
    uint64_t index, number;
};

static int requests[2], answers[2];
static pid_t children[POOL_WORKERS];

static void serve(void)
{
    struct request request;

    while (recv(requests[1], &request, sizeof request, 0) == (ssize_t)sizeof request) {
        request.number++;
        if (send(answers[1], &request, sizeof request, 0) < 0)
            break;
    }
    _exit(0);
}

void sockets_begin(void)
{
    if (socketpair(AF_UNIX, SOCK_SEQPACKET, 0, requests) < 0 ||
        socketpair(AF_UNIX, SOCK_SEQPACKET, 0, answers) < 0)
        bench_fail("socketpair");
    for (int i = 0; i < POOL_WORKERS; i++) {
        children[i] = fork();
        if (children[i] < 0)
            bench_fail("fork");
        if (children[i] == 0) {
            close(requests[0]);
            close(answers[0]);
            serve();
        }
    }
    close(requests[1]);
    close(answers[1]);
}

static void take_answer(int flags, size_t *ended)
{
    struct request request;

    while (recv(answers[0], &request, sizeof request, flags) == (ssize_t)sizeof request) {
        if (request.number != request.index + 1)
            bench_fail("sockets: a wrong answer");
        ++*ended;
        flags = MSG_DONTWAIT;
    }
}

void sockets_many(size_t n)
{
    size_t sent = 0, ended = 0;

    while (ended < n) {
        struct request request = { sent, sent };
        if (sent < n && send(requests[0], &request, sizeof request, MSG_DONTWAIT) > 0)
            sent++;
        else
            take_answer(0, &ended);
    }
}

void sockets_one(void)
{
    size_t ended = 0;
    struct request request = { 1, 1 };

    if (send(requests[0], &request, sizeof request, 0) < 0)
        bench_fail("send");
    take_answer(0, &ended);
}

void sockets_end(void)
{
    close(requests[0]);
    close(answers[0]);
    for (int i = 0; i < POOL_WORKERS; i++)
        waitpid(children[i], NULL, 0);
}

static struct {
    uint64_t asked;
    char apart[120];
    uint64_t answered;
} * spin;
static pid_t spinner;

void spin_begin(void)
{
    spin = mmap(NULL, sizeof *spin, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (spin == MAP_FAILED)
        bench_fail("mmap");
    spinner = fork();
    if (spinner < 0)
        bench_fail("fork");
    for (uint64_t seen = 0; spinner == 0;) {
        uint64_t asked = __atomic_load_n(&spin->asked, __ATOMIC_ACQUIRE);
        if (asked == UINT64_MAX)
            _exit(0);
        if (asked != seen)
            __atomic_store_n(&spin->answered, seen = asked, __ATOMIC_RELEASE);
    }
}

void spin_one(void)
{
    uint64_t next = spin->asked + 1;

    __atomic_store_n(&spin->asked, next, __ATOMIC_RELEASE);
    while (__atomic_load_n(&spin->answered, __ATOMIC_ACQUIRE) != next)
        ;
}

void spin_end(void)
{
    __atomic_store_n(&spin->asked, UINT64_MAX, __ATOMIC_RELEASE);
    waitpid(spinner, NULL, 0);
    munmap(spin, sizeof *spin);
}
