/* SPDX-License-Identifier: MIT */
/* main() of every test program: options, then one test or the runner. */
#include "harness.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static const char usage[] = "usage: %s [options]\n"
                            "  --list           print the names of the tests\n"
                            "  --filter TEXT    run only tests whose names contain TEXT\n"
                            "  --repeat N       run all of them N times\n"
                            "  --jobs N         run N at once (default 1)\n"
                            "  --seed S         the seed of the run (default: random)\n"
                            "  --shuffle        in an order that the seed gives\n"
                            "  --in-loop        each as the main task of an event loop\n"
                            "  --run NAME       run one test in this very process, for a debugger\n"
                            "  -v, --verbose    one line a test, and what it printed\n";

enum { LIST = 256, FILTER, REPEAT, JOBS, SEED, SHUFFLE, IN_LOOP, RUN };

static const struct option long_options[] = {
    { "list", no_argument, NULL, LIST },           { "filter", required_argument, NULL, FILTER },
    { "repeat", required_argument, NULL, REPEAT }, { "jobs", required_argument, NULL, JOBS },
    { "seed", required_argument, NULL, SEED },     { "shuffle", no_argument, NULL, SHUFFLE },
    { "in-loop", no_argument, NULL, IN_LOOP },     { "run", required_argument, NULL, RUN },
    { "verbose", no_argument, NULL, 'v' },         { NULL, 0, NULL, 0 },
};

static void set_seed(struct test_options *options, const char *text)
{
    options->seed = strtoull(text, NULL, 0);
    options->seed_given = true;
}

static void read_environment(struct test_options *options)
{
    const char *repeat = getenv("HOCKET_TEST_REPEAT");
    const char *seed = getenv("HOCKET_TEST_SEED");
    if (repeat)
        options->repeat = atol(repeat);
    if (seed)
        set_seed(options, seed);
    options->shuffle = getenv("HOCKET_TEST_SHUFFLE") != NULL;
    options->verbose = getenv("HOCKET_TEST_VERBOSE") != NULL;
}

static void read_arguments(struct test_options *options, int argc, char **argv)
{
    int option;
    while ((option = getopt_long(argc, argv, "v", long_options, NULL)) != -1) {
        switch (option) {
        case LIST:
            options->list = true;
            break;
        case FILTER:
            options->filter = optarg;
            break;
        case REPEAT:
            options->repeat = atol(optarg);
            break;
        case JOBS:
            options->jobs = atol(optarg);
            break;
        case SEED:
            set_seed(options, optarg);
            break;
        case SHUFFLE:
            options->shuffle = true;
            break;
        case IN_LOOP:
            options->in_loop = true;
            break;
        case RUN:
            options->run = optarg;
            break;
        case 'v':
            options->verbose = true;
            break;
        default:
            fprintf(stderr, usage, argv[0]);
            exit(2);
        }
    }
    if (optind < argc || options->repeat < 1 || options->jobs < 1) {
        fprintf(stderr, usage, argv[0]);
        exit(2);
    }
}

static int run_here(const struct test_options *options)
{
    test_set_seed(options->seed_given ? options->seed : test_random_seed());
    for (struct test_case *test = test_first(); test; test = test->next)
        if (strcmp(test->name, options->run) == 0)
            test_body_run(test, options->in_loop);
    fprintf(stderr, "no test is called %s\n", options->run);
    return TEST_FAILED;
}

static int list(void)
{
    for (struct test_case *test = test_first(); test; test = test->next)
        puts(test->name);
    return 0;
}

int main(int argc, char **argv)
{
    struct test_options options = { .repeat = 1, .jobs = 1 };
    read_environment(&options);
    read_arguments(&options, argc, argv);
    if (options.list)
        return list();
    if (options.in_loop && test_call_in_loop == NULL) {
        fprintf(stderr, "%s: its tests do not run in a loop\n", argv[0]);
        return 2;
    }
    if (options.run)
        return run_here(&options);
    /* Resolved here: under valgrind /proc/self/exe is valgrind once it is exec'ed. */
    char program[4096];
    ssize_t length = readlink("/proc/self/exe", program, sizeof program - 1);
    if (length < 0) {
        perror("test runner: /proc/self/exe");
        return TEST_FAILED;
    }
    program[length] = '\0';
    options.program = program;
    return test_runner_run(&options);
}
