/* SPDX-License-Identifier: MIT */
/*
 * The runner: chooses the tests, keeps up to --jobs wardens at work, prints
 * what failed (with its output and its seed), counts. One thread, no signals.
 */
#include "harness.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define OUTPUT_END 16384 /* bytes shown of each end of a long output */

struct running {
    pid_t warden; /* 0: this place is free */
    const struct test_case *test;
    uint64_t seed;
    int output;
    double started;
};

struct runner {
    const struct test_options *options;
    struct running *places; /* options->jobs of them */
    long busy;
    long passed, failed, skipped;
};

/* Prints a part of the output. */
static void print_part(int output, off_t at, off_t end)
{
    char buffer[4096];
    while (at < end) {
        size_t wanted = end - at < (off_t)sizeof buffer ? (size_t)(end - at) : sizeof buffer;
        ssize_t length = pread(output, buffer, wanted, at);
        if (length <= 0)
            return;
        fwrite(buffer, 1, (size_t)length, stdout);
        at += length;
    }
}

/* Prints what a test printed; of very much, the begin and the end. */
static void print_output(int output)
{
    off_t size = lseek(output, 0, SEEK_END);
    if (size <= 2 * OUTPUT_END) {
        print_part(output, 0, size);
        return;
    }
    print_part(output, 0, OUTPUT_END);
    printf("\n... %lld bytes are not shown ...\n", (long long)(size - 2 * OUTPUT_END));
    print_part(output, size - OUTPUT_END, size);
}

static void report(struct runner *runner, const struct running *done, int verdict)
{
    const char *word = verdict == TEST_PASSED ? "pass" : verdict == TEST_SKIPPED ? "skip" : "FAIL";
    long *count = verdict == TEST_PASSED    ? &runner->passed
                  : verdict == TEST_SKIPPED ? &runner->skipped
                                            : &runner->failed;
    ++*count;
    if (verdict == TEST_PASSED && !runner->options->verbose)
        return;
    printf("%s %s (%.3f s)\n", word, done->test->name, test_now() - done->started);
    print_output(done->output);
    if (verdict == TEST_FAILED)
        printf("again with: %s %s--filter %s --seed %" PRIu64 "\n", runner->options->program,
               runner->options->in_loop ? "--in-loop " : "", done->test->name, done->seed);
}

static void start(struct runner *runner, const struct test_case *test, uint64_t seed)
{
    struct running *place = runner->places;
    while (place->warden)
        place++;
    *place = (struct running){ .test = test, .seed = seed, .started = test_now() };
    place->output = memfd_create("test-output", MFD_CLOEXEC);
    /* Several processes write to it, and without this a memfd may give two of them one place. */
    fcntl(place->output, F_SETFL, O_APPEND);
    fflush(stdout);
    place->warden = fork();
    if (place->warden == 0)
        test_warden_run(runner->options, test, seed, place->output);
    if (place->warden < 0) {
        perror("test runner: fork");
        exit(TEST_FAILED);
    }
    runner->busy++;
}

/* Waits for one warden and reports its test. */
static void finish_one(struct runner *runner)
{
    int status;
    pid_t pid = wait(&status);
    if (pid < 0 && errno != EINTR) {
        perror("test runner: wait");
        exit(TEST_FAILED);
    }
    for (long i = 0; i < runner->options->jobs; i++) {
        struct running *place = &runner->places[i];
        if (pid <= 0 || place->warden != pid)
            continue;
        int verdict = WIFEXITED(status) ? WEXITSTATUS(status) : TEST_FAILED;
        bool known = verdict == TEST_PASSED || verdict == TEST_SKIPPED;
        report(runner, place, known ? verdict : TEST_FAILED);
        close(place->output);
        place->warden = 0;
        runner->busy--;
    }
}

/* splitmix64, one step */
static uint64_t next_random(uint64_t *state)
{
    uint64_t z = *state += 0x9e3779b97f4a7c15u;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

static void shuffle(const struct test_case **tests, size_t count, uint64_t seed)
{
    for (size_t i = count; i > 1; i--) {
        size_t other = next_random(&seed) % i;
        const struct test_case *test = tests[i - 1];
        tests[i - 1] = tests[other];
        tests[other] = test;
    }
}

static bool is_wanted(const struct test_options *options, const struct test_case *test)
{
    if (options->filter && !strstr(test->name, options->filter))
        return false;
    if (options->in_loop)
        for (const char *const *name = test_not_in_loop; *name; name++)
            if (strcmp(*name, test->name) == 0)
                return false;
    return true;
}

/* The tests that the options let through, in an array of the caller's. */
static const struct test_case **choose(const struct test_options *options, size_t *count)
{
    size_t all = 0;
    *count = 0;
    for (struct test_case *test = test_first(); test; test = test->next)
        all++;
    const struct test_case **chosen = calloc(all + 1, sizeof *chosen);
    for (struct test_case *test = test_first(); chosen && test; test = test->next)
        if (is_wanted(options, test))
            chosen[(*count)++] = test;
    return chosen;
}

/* For whoever adds up several programs (tools/run-tests). */
static void append_summary(const char *line)
{
    const char *path = getenv("HOCKET_TEST_SUMMARY");
    int fd = path ? open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0666) : -1;
    if (fd >= 0) {
        dprintf(fd, "%s", line);
        close(fd);
    }
}

static void print_summary(const struct runner *runner)
{
    char line[128], skipped[48] = "";
    if (runner->skipped)
        snprintf(skipped, sizeof skipped, ", %ld skipped", runner->skipped);
    snprintf(line, sizeof line, "%ld passed, %ld failed%s\n", runner->passed, runner->failed,
             skipped);
    fputs(line, stdout);
    append_summary(line);
}

int test_runner_run(const struct test_options *options)
{
    struct runner runner = { .options = options };
    size_t count;
    const struct test_case **tests = choose(options, &count);
    runner.places = calloc((size_t)options->jobs, sizeof *runner.places);
    if (!tests || !runner.places)
        return TEST_FAILED;
    for (long round = 0; round < options->repeat; round++) {
        uint64_t base = options->seed_given ? options->seed + (uint64_t)round : test_random_seed();
        if (options->shuffle)
            shuffle(tests, count, base);
        for (size_t i = 0; i < count; i++) {
            if (runner.busy == options->jobs)
                finish_one(&runner);
            start(&runner, tests[i], base);
        }
        while (runner.busy)
            finish_one(&runner);
    }
    print_summary(&runner);
    free(runner.places);
    free(tests);
    return runner.failed || !(runner.passed + runner.skipped) ? TEST_FAILED : TEST_PASSED;
}
