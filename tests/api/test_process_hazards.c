/* SPDX-License-Identifier: MIT */
/* What may be in the way of processes without being an error of anybody: fds that others have, too, or
 * that are missing, and a fork server that was stopped. */
#include "processes.h"

#include <sys/wait.h>

static int await_start(void *arg)
{
    return await_word(arg);
}

TEST(a_sentinel_is_readable_while_a_later_copy_runs)
{
    int *words = shared_words(2), *second = words + 1;
    hkt_process *first = start_by(HKT_START_FORK, await_start, words, 0);
    struct pollfd sentinel = { .fd = hkt_process_sentinel(first), .events = POLLIN };
    hkt_process *later = start_by(HKT_START_FORK, await_start, second, 0);
    CHECK(sentinel.fd >= 0);
    put(words, 1);
    CHECK_EQ(poll(&sentinel, 1, 10000), 1);
    CHECK(hkt_process_is_alive(later));
    put(second, 1);
    CHECK_EQ(end_of(first), 1);
    CHECK_EQ(end_of(later), 1);
    hkt_shared_free(words);
    finalize_alone();
}

TEST(who_waits_for_the_end_is_not_held_by_a_stopped_server)
{
    int *word = shared_words(1);
    put(word, 1);
    CHECK_EQ(end_of(start_by(HKT_START_FORKSERVER, await_start, word, 0)), 1);
    int server = server_pid();
    CHECK(server > 0);
    CHECK_EQ(kill(server, SIGSTOP), 0);
    hkt_shared_free(word);
    finalize_alone();
    CHECK(is_gone(server));
}

static int print(void *arg)
{
    ssize_t size = write(STDOUT_FILENO, "to nobody\n", 10);
    return size < 0 || arg == NULL ? 0 : 1;
}

/* In a process of its own, without the fds 1 and 2: what is printed goes nowhere. */
static int print_without_stdio(void)
{
    close(STDOUT_FILENO);
    close(STDERR_FILENO);
    hkt_process *process;
    char *text = hkt_shared_alloc(16);
    int err = text ? print(NULL) : -ENOMEM;
    if (err == 0)
        err = hkt_process_spawn(&process, print, NULL, 0, NULL);
    if (err == 0)
        err = hkt_process_finish(process);
    hkt_shared_free(text);
    return err < 0 ? err : hkt_finalize();
}

TEST(without_stdio_what_is_printed_does_not_fall_into_shared_memory)
{
    int status;
    pid_t child = fork();
    CHECK(child >= 0);
    if (child == 0)
        _exit(print_without_stdio() == 0 ? 0 : 1);
    CHECK_EQ(waitpid(child, &status, 0), child);
    CHECK_EQ(status, 0);
}
