/* SPDX-License-Identifier: MIT */
/* Messages from one process to another: how many a second. Each has its number in it, which the
 * receiver checks. `hocket` is told how long the messages are, `hocket-arena` has the default: what is longer
 * than 240 bytes goes by memory of its own. */
#include <hocket/shared_queue.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common.h"
#include "common_server.h"
#include "shared_queue_systems.h"

enum { LOOKS = 16 }; /* messages between two looks at the clock */
#define END UINT64_MAX

static void *create(size_t message_size, int capacity)
{
    hkt_shared_queue *queue;
    hkt_shared_queue_options options = { .maxsize = (size_t)capacity,
                                         .message_size = message_size };
    bench_check(hkt_shared_queue_create(&queue, &options), "hkt_shared_queue_create");
    return queue;
}

static void *arena_create(size_t size, int capacity)
{
    return size > 240 ? create(0, capacity) : NULL;
}

static void put(void *queue, const void *message, size_t size)
{
    bench_check(hkt_shared_queue_put(queue, message, size), "hkt_shared_queue_put");
}

static void get(void *queue, void *message, size_t size)
{
    if (hkt_shared_queue_get(queue, message, size) != (int)size)
        bench_fail("hkt_shared_queue_get");
}

static void destroy(void *queue)
{
    hkt_shared_queue_destroy(queue);
}

const struct passing_system passing_hocket = { "hocket", create, NULL, put, get, destroy };
const struct passing_system passing_arena = {
    "hocket-arena", arena_create, NULL, put, get, destroy
};

/* Python's queue: a program of its own, which prints messages a second; 0: it is not there. */
static double python_for(size_t size, int capacity, double seconds)
{
    static const char program[] =
        "import multiprocessing as m, sys, time\n"
        "size, room, seconds = int(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3])\n"
        "def get(queue, answer):\n"
        "    n = 0\n"
        "    answer.put(0)\n"
        "    while queue.get() is not None: n += 1\n"
        "    answer.put(n)\n"
        "queue, answer, message, n = m.Queue(room), m.SimpleQueue(), bytes(size), 0\n"
        "getter = m.Process(target=get, args=(queue, answer))\n"
        "getter.start()\n"
        "answer.get()\n"
        "began = time.monotonic()\n"
        "while time.monotonic() < began + seconds: queue.put(message); n += 1\n"
        "queue.put(None)\n"
        "assert answer.get() == n\n"
        "print(n / (time.monotonic() - began))\n"
        "getter.join()\n";
    char command[sizeof program + 128];
    double rate = 0;

    snprintf(command, sizeof command, "python3 -c '%s' %zu %d %f", program, size, capacity,
             seconds);
    FILE *output = popen(command, "r");
    if (output == NULL || fscanf(output, "%lf", &rate) != 1)
        rate = 0;
    if (output)
        pclose(output);
    return rate;
}

static void *python_create(size_t size, int capacity)
{
    (void)size, (void)capacity;
    return NULL;
}

static const struct passing_system passing_python = { .name = "multiprocessing.Queue",
                                                      .create = python_create };

static const struct passing_system *const systems[] = {
    &passing_hocket, &passing_arena, &passing_ring,      &passing_zmq,
    &passing_mq,     &passing_pipe,  &passing_seqpacket, &passing_python,
#ifdef HAVE_TBB
    &passing_boost, /* with the other rivals that are C++ */
#endif
};
enum { SYSTEMS = sizeof systems / sizeof systems[0] };

/* The receiver, a process of its own: says when it is ready, and then how many have come. */
static _Noreturn void receive(const struct passing_system *system, void *passing, size_t size,
                              int answer)
{
    uint64_t *message = bench_alone(size), n = 0;

    if (system->begin)
        system->begin(passing, 1);
    if (write(answer, &n, sizeof n) != sizeof n)
        _exit(1);
    for (;; n++) {
        system->get(passing, message, size);
        if (message[0] == END)
            break;
        if (message[0] != n)
            bench_fail("%s: message %llu came as number %llu", system->name,
                       (unsigned long long)message[0], (unsigned long long)n);
    }
    _exit(write(answer, &n, sizeof n) == sizeof n ? 0 : 1);
}

static uint64_t told(int answer, const char *who)
{
    uint64_t n;

    if (read(answer, &n, sizeof n) != sizeof n)
        bench_fail("%s: the receiver has failed", who);
    return n;
}

/* Sends for so long: messages a second. */
static double send_for(const struct passing_system *system, void *passing, size_t size,
                       double seconds, int answer)
{
    uint64_t *message = bench_alone(size), began = bench_ns();
    uint64_t end = began + (uint64_t)(seconds * 1e9);

    while (bench_ns() < end)
        for (int i = 0; i < LOOKS; i++) {
            system->put(passing, message, size);
            message[0]++;
        }
    uint64_t sent = message[0];
    message[0] = END;
    system->put(passing, message, size);
    if (told(answer, system->name) != sent)
        bench_fail("%s: messages were lost", system->name);
    free(message);
    return (double)sent / ((double)(bench_ns() - began) / 1e9);
}

/* `threads` is the room, `work_ns` the size of a message. */
static void measure(const struct bench_workload *workload, int s, double values[])
{
    const struct passing_system *system = systems[s];
    size_t size = (size_t)workload->work_ns;
    void *passing = system->create(size, workload->threads);
    int answer[2], status;

    if (system == &passing_python) {
        double rate = python_for(size, workload->threads, workload->seconds);
        if (rate > 0) {
            values[0] = rate / 1e6;
            return;
        }
    }
    if (passing == NULL) {
        if (system != &passing_arena)
            bench_left_out(system->name, "it is not on this machine");
        return;
    }
    if (pipe(answer) < 0)
        bench_fail("pipe");
    pid_t pid = fork();
    if (pid == 0)
        receive(system, passing, size, answer[1]);
    close(answer[1]);
    if (system->begin)
        system->begin(passing, 0);
    (void)told(answer[0], system->name);
    values[0] = send_for(system, passing, size, workload->seconds, answer[0]) / 1e6;
    if (waitpid(pid, &status, 0) != pid || status != 0)
        bench_fail("%s: the receiver has failed", system->name);
    system->destroy(passing);
    close(answer[0]);
}

static const struct bench_workload workloads[] = {
    { "shared-queue-64B", measure, 0.2, 1024, 64, { { "messages", "M/s", BENCH_MORE } } },
    { "shared-queue-4K", measure, 0.2, 256, 4096, { { "messages", "M/s", BENCH_MORE } } },
    { "shared-queue-64K", measure, 0.2, 64, 65536, { { "messages", "M/s", BENCH_MORE } } },
};

int main(int argc, char **argv)
{
    const char *names[SYSTEMS];

    bench_begin(argc, argv, "Messages of 64 bytes, 4 KB and 64 KB from one process to another.");
    for (int i = 0; i < SYSTEMS; i++)
        names[i] = systems[i]->name;
    for (size_t i = 0; i < sizeof workloads / sizeof workloads[0]; i++)
        bench_measure(&workloads[i], names, SYSTEMS);
    return bench_end();
}
