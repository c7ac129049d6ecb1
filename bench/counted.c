/* SPDX-License-Identifier: MIT */
/* Does one operation so many times: `counted OPERATION TIMES`. bench/instructions runs it under
 * valgrind and strace, with two numbers of times, and takes the difference. Without an argument it
 * lists the operations.
 *
 * A second thread is alive all the time, asleep: glibc drops atomics in programs with one. */
#include <hocket.h>
#include <hocket/fork.h>
#include <hocket/server.h>
#include <hocket/stream.h>

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void check(int err, const char *call)
{
    if (err) {
        fprintf(stderr, "counted: %s: %s\n", call, strerror(abs(err)));
        exit(1);
    }
}

/* A function that repeats `body`; what it needs is set up before. */
#define OPERATION(name, set_up, body)                                                              \
    static void name(long times)                                                                   \
    {                                                                                              \
        set_up;                                                                                    \
        for (long i = 0; i < times; i++) {                                                         \
            body;                                                                                  \
        }                                                                                          \
    }

static hkt_lock lock;
static hkt_rlock rlock;
static hkt_rwlock rwlock;
static hkt_semaphore semaphore;
static hkt_event event;
static hkt_condition condition;
static hkt_once once;
static hkt_giant_lock giant;
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;

static int succeed(void *arg)
{
    (void)arg;
    return 0;
}

static hkt_queue *make_queue(void)
{
    hkt_queue *queue = NULL;

    check(hkt_queue_create(&queue, sizeof(uint64_t), NULL), "hkt_queue_create");
    return queue;
}

static void start_and_join(void)
{
    hkt_thread *thread;

    check(hkt_thread_spawn(&thread, succeed, NULL, NULL), "hkt_thread_spawn");
    check(hkt_thread_join(thread), "hkt_thread_join");
    hkt_thread_destroy(thread);
}

static void *return_it(void *arg)
{
    return arg;
}

static void create_and_join(void)
{
    pthread_t thread;

    check(pthread_create(&thread, NULL, return_it, NULL), "pthread_create");
    check(pthread_join(thread, NULL), "pthread_join");
}

static int succeed_forked(hkt_forks forks, void *arg)
{
    (void)forks;
    (void)arg;
    return 0;
}

/* With one worker, whose place the caller takes: so nobody is hungry, and counts are exact. */
static hkt_executor *make_pool(void)
{
    hkt_executor *pool = NULL;

    check(hkt_thread_pool_create(&pool, &(hkt_thread_pool_options){ .max_workers = 1 }),
          "hkt_thread_pool_create");
    return pool;
}

static hkt_executor *make_inline_executor(void)
{
    hkt_executor *executor = NULL;

    check(hkt_inline_executor_create(&executor), "hkt_inline_executor_create");
    return executor;
}

static int fork_inline(hkt_forks forks, void *arg)
{
    for (long i = *(long *)arg; i > 0; i--) {
        hkt_forks_fork(&forks, succeed_forked, NULL);
        check(hkt_forks_join(&forks, succeed_forked, NULL), "hkt_forks_join");
    }
    return 0;
}

static int fork_by_calls(void *arg)
{
    for (long i = *(long *)arg; i > 0; i--) {
        hkt_fork(succeed, NULL);
        check(hkt_join(), "hkt_join");
    }
    return 0;
}

static void submit_and_finish(hkt_executor *executor)
{
    hkt_future *future;

    check(hkt_submit(executor, &future, succeed, NULL), "hkt_submit");
    check(hkt_future_finish(future), "hkt_future_finish");
}

static hkt_executor *inside;

/* In a job: the worker goes to another stack, runs the other job there, and comes back. */
static int submit_inside(void *arg)
{
    for (long i = *(long *)arg; i > 0; i--)
        submit_and_finish(inside);
    return 0;
}

static void submit_many(hkt_executor *executor)
{
    enum { MANY = 100 };
    hkt_future *futures[MANY];

    for (int i = 0; i < MANY; i++)
        check(hkt_submit(executor, &futures[i], succeed, NULL), "hkt_submit");
    for (int i = 0; i < MANY; i++)
        check(hkt_future_finish(futures[i]), "hkt_future_finish");
}

/* Tasks, by the main task of a loop. */

static int yield_times(void *arg)
{
    for (long i = *(long *)arg; i > 0; i--)
        check(hkt_yield(), "hkt_yield");
    return 0;
}

/* Two of them, half of the yields each. */
static int yield_by_turns(void *arg)
{
    long half = *(long *)arg / 2;
    hkt_task *tasks[2];

    for (int i = 0; i < 2; i++)
        check(hkt_task_spawn(&tasks[i], yield_times, &half), "hkt_task_spawn");
    for (int i = 0; i < 2; i++)
        check(hkt_future_finish(tasks[i]), "hkt_future_finish");
    return 0;
}

static int spawn_and_await(void *arg)
{
    hkt_task *task;

    for (long i = *(long *)arg; i > 0; i--) {
        check(hkt_task_spawn(&task, succeed, NULL), "hkt_task_spawn");
        check(hkt_future_finish(task), "hkt_future_finish");
    }
    return 0;
}

static hkt_queue *messages;

static int put_times(void *arg)
{
    uint64_t item = 1;

    for (long i = *(long *)arg; i > 0; i--)
        check(hkt_queue_put(messages, &item), "hkt_queue_put");
    return 0;
}

static int get_times(void *arg)
{
    uint64_t item;
    hkt_task *putter;

    messages = make_queue();
    check(hkt_task_spawn(&putter, put_times, arg), "hkt_task_spawn");
    for (long i = *(long *)arg; i > 0; i--)
        check(hkt_queue_get(messages, &item), "hkt_queue_get");
    check(hkt_future_finish(putter), "hkt_future_finish");
    hkt_queue_destroy(messages);
    return 0;
}

static int set_and_cancel(void *arg)
{
    hkt_handle handle = { 0 };

    for (long i = *(long *)arg; i > 0; i--) {
        check(hkt_loop_call_later(hkt_loop_running(), &handle, 3600, succeed, NULL),
              "hkt_loop_call_later");
        check(!hkt_handle_cancel(&handle), "hkt_handle_cancel");
    }
    return 0;
}

static int group_of_one(void *arg)
{
    for (long i = *(long *)arg; i > 0; i--) {
        hkt_task_group group = { 0 };

        hkt_task_group_enter(&group, NULL);
        check(hkt_task_group_spawn(&group, NULL, succeed, NULL), "hkt_task_group_spawn");
        check(hkt_task_group_leave(&group, 0), "hkt_task_group_leave");
    }
    return 0;
}

/* Streams. */

enum { MESSAGE = 64, ROOM = 1024 };

/* What is read is there already. */
static int write_and_read(void *arg)
{
    char data[MESSAGE] = { 0 };
    hkt_stream *streams[2];

    check(hkt_stream_pair(streams), "hkt_stream_pair");
    for (long i = *(long *)arg; i > 0; i--) {
        check(hkt_stream_write(streams[0], data, MESSAGE), "hkt_stream_write");
        check(hkt_stream_read(streams[1], data, MESSAGE) != MESSAGE, "hkt_stream_read");
    }
    hkt_stream_destroy(streams[0]);
    hkt_stream_destroy(streams[1]);
    return 0;
}

static int echo(hkt_stream *client, void *arg)
{
    char data[ROOM];
    int n;

    (void)arg;
    while ((n = hkt_stream_read(client, data, sizeof data)) > 0)
        check(hkt_stream_write(client, data, (size_t)n), "hkt_stream_write");
    return n;
}

/* Server and client by turns, each in a task; so these are both halves: one send, one recv, and one
 * look for what is ready each. */
static int ask_server(void *arg)
{
    char data[ROOM] = { 0 };
    hkt_server *server;
    hkt_stream *stream;

    check(hkt_server_start(&server, "127.0.0.1", 0, echo, NULL, NULL), "hkt_server_start");
    check(hkt_stream_connect(&stream, "127.0.0.1", hkt_server_port(server), NULL), "connect");
    for (long i = *(long *)arg; i > 0; i--) {
        check(hkt_stream_write(stream, data, MESSAGE), "hkt_stream_write");
        check(hkt_stream_read(stream, data, ROOM) != MESSAGE, "hkt_stream_read");
    }
    hkt_stream_destroy(stream);
    hkt_server_destroy(server);
    return 0;
}

static void do_fork(long times)
{
    check(hkt_forks_run(make_pool(), fork_inline, &times), "hkt_forks_run");
}

static void do_fork_call(long times)
{
    check(hkt_fork_run(make_pool(), fork_by_calls, &times), "hkt_fork_run");
}

static void do_submit_inside(long times)
{
    hkt_future *future;

    inside = make_pool();
    check(hkt_submit(inside, &future, submit_inside, &times), "hkt_submit");
    check(hkt_future_finish(future), "hkt_future_finish");
}

/* A function that has `body` do all times, as the main task of a loop. */
#define IN_A_LOOP(name, body)                                                                      \
    static void name(long times)                                                                   \
    {                                                                                              \
        check(hkt_run(body, &times), "hkt_run");                                                   \
    }

IN_A_LOOP(do_task_yield, yield_by_turns)
IN_A_LOOP(do_task_spawn, spawn_and_await)
IN_A_LOOP(do_task_queue, get_times)
IN_A_LOOP(do_timer, set_and_cancel)
IN_A_LOOP(do_task_group, group_of_one)
IN_A_LOOP(do_stream, write_and_read)
IN_A_LOOP(do_echo, ask_server)

OPERATION(do_nothing, (void)0, __asm__ volatile(""))
OPERATION(do_lock, (void)0, hkt_lock_acquire(&lock); hkt_lock_release(&lock))
OPERATION(do_rlock, (void)0, hkt_rlock_acquire(&rlock); hkt_rlock_release(&rlock))
OPERATION(do_read, (void)0, hkt_rwlock_acquire_read(&rwlock); hkt_rwlock_release_read(&rwlock))
OPERATION(do_write, (void)0, hkt_rwlock_acquire_write(&rwlock); hkt_rwlock_release_write(&rwlock))
OPERATION(do_semaphore, check(hkt_semaphore_init(&semaphore, 1), "hkt_semaphore_init"),
          check(hkt_semaphore_acquire(&semaphore), "acquire");
          check(hkt_semaphore_release(&semaphore, 1), "release"))
OPERATION(do_event, (void)0, hkt_event_set(&event); hkt_event_clear(&event))
OPERATION(do_event_wait, hkt_event_set(&event), check(hkt_event_wait(&event), "hkt_event_wait"))
OPERATION(do_notify, (void)0, hkt_condition_notify(&condition, 1))
OPERATION(do_once, (void)0, check(hkt_once_call(&once, succeed, NULL), "hkt_once_call"))
OPERATION(do_queue, hkt_queue *queue = make_queue();
          uint64_t item = 1, check(hkt_queue_put(queue, &item), "hkt_queue_put");
          check(hkt_queue_get(queue, &item), "hkt_queue_get"))
OPERATION(do_scope, hkt_scope scope, hkt_scope_enter(&scope, NULL); hkt_scope_leave(&scope))
OPERATION(do_checkpoint, (void)0, check(hkt_checkpoint(), "hkt_checkpoint"))
OPERATION(do_giant, hkt_giant_lock_acquire(&giant), hkt_giant_lock_checkpoint(&giant))
OPERATION(do_submit_inline, hkt_executor *executor = make_inline_executor(),
          submit_and_finish(executor))
OPERATION(do_submit_hundred, hkt_executor *pool = make_pool(), submit_many(pool))
OPERATION(do_mutex, (void)0, pthread_mutex_lock(&mutex); pthread_mutex_unlock(&mutex))
OPERATION(do_thread, (void)0, start_and_join())
OPERATION(do_pthread, (void)0, create_and_join())

static const struct {
    const char *name;
    void (*repeat)(long times);
} operations[] = {
    { "nothing", do_nothing },
    { "lock", do_lock },
    { "rlock", do_rlock },
    { "rwlock-read", do_read },
    { "rwlock-write", do_write },
    { "semaphore", do_semaphore },
    { "event", do_event },
    { "event-wait", do_event_wait },
    { "condition-notify", do_notify },
    { "once", do_once },
    { "queue", do_queue },
    { "scope", do_scope },
    { "checkpoint", do_checkpoint },
    { "giant-checkpoint", do_giant },
    { "fork", do_fork },
    { "fork-call", do_fork_call },
    { "submit-inline", do_submit_inline },
    { "submit-inside", do_submit_inside },
    { "submit-hundred", do_submit_hundred },
    { "task-yield", do_task_yield },
    { "task-spawn", do_task_spawn },
    { "task-queue", do_task_queue },
    { "task-group", do_task_group },
    { "timer", do_timer },
    { "stream", do_stream },
    { "echo", do_echo },
    { "pthread-mutex", do_mutex },
    { "thread", do_thread },
    { "pthread-thread", do_pthread },
};
enum { OPERATIONS = sizeof operations / sizeof operations[0] };

/* Tells that it is there, then sleeps for good. */
static void *sleep_on(void *arg)
{
    int *pipe_ends = arg;

    check(write(pipe_ends[1], "", 1) != 1, "write");
    pause();
    return arg;
}

/* Returns when it runs, so that its own beginning is always in the count. */
static void start_second(void)
{
    static int pipe_ends[2];
    pthread_t second;
    char byte;

    check(pipe(pipe_ends), "pipe");
    check(pthread_create(&second, NULL, sleep_on, pipe_ends), "pthread_create");
    check(read(pipe_ends[0], &byte, 1) != 1, "read");
}

int main(int argc, char **argv)
{
    for (int i = 0; argc < 2 && i < OPERATIONS; i++)
        puts(operations[i].name);
    if (argc < 2)
        return 0;
    start_second();
    for (int i = 0; argc == 3 && i < OPERATIONS; i++) {
        if (strcmp(argv[1], operations[i].name) == 0) {
            operations[i].repeat(atol(argv[2]));
            return 0;
        }
    }
    fprintf(stderr, "usage: counted [OPERATION TIMES]\n");
    return 2;
}
