/* SPDX-License-Identifier: MIT */
/* Programs that end while children run, each a child of the test that has used nothing of hocket before:
 * what they wait for, what they say, and that all is written once. And a Ctrl-C in a map. */
#include <fcntl.h>
#include <pthread.h>
#include <sys/mman.h>
#include <sys/wait.h>

#include "processes.h"
#include "waits.h"

struct program {
    int *words; /* of the test and the program: numbers of processes, and what was reached */
    char said[4096], printed[256];
    double seconds;
    int status;
};

static int new_file(void)
{
    int file = memfd_create("said", MFD_CLOEXEC);
    CHECK(file >= 0);
    return file;
}

static void read_all(int file, char *text, size_t room)
{
    ssize_t count = pread(file, text, room - 1, 0);
    CHECK(count >= 0);
    text[count] = '\0';
    CHECK_EQ(close(file), 0);
}

static int *words_of_program;

/* Runs `main` in a process of its own, as a program whose main returns its result. */
static struct program run_program(int (*program_main)(void))
{
    struct program program = { .status = -1 };
    int files[] = { new_file(), new_file() };
    words_of_program = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    CHECK(words_of_program != MAP_FAILED);
    (void)fflush(NULL);
    pid_t child = fork();
    if (child == 0) {
        (void)dup2(files[0], STDOUT_FILENO);
        (void)dup2(files[1], STDERR_FILENO);
        (void)setpgid(0, 0);
        (void)signal(SIGINT, SIG_DFL);
        exit(program_main());
    }
    double begun = hkt_monotonic();
    CHECK_EQ(waitpid(child, &program.status, 0), child);
    program.seconds = hkt_monotonic() - begun;
    read_all(files[0], program.printed, sizeof program.printed);
    read_all(files[1], program.said, sizeof program.said);
    program.words = words_of_program;
    return program;
}

static void check_ended(struct program *program, const char *printed)
{
    if (program->status != 0)
        test_fail(__FILE__, __LINE__, "status %#x: %s", (unsigned)program->status, program->said);
    CHECK_STR(program->printed, printed);
    if (program->words[0])
        CHECK(is_gone_within(program->words[0], 5.0));
    CHECK_EQ(munmap(program->words, 4096), 0);
}

static hkt_start_method method_of_program;

static int *start_child(hkt_job *job, bool daemon)
{
    int *word = shared_words(2);
    hkt_process *process;
    hkt_process_options options = { .method = method_of_program,
                                    .daemon = daemon,
                                    .name = "laggard" };
    printf("parent\n"); /* which is in its buffer, and is not to be doubled by a copy */
    CHECK_EQ(hkt_process_spawn(&process, job, word, 0, &options), 0);
    words_of_program[0] = hkt_process_pid(process);
    await_word(word);
    hkt_process_destroy(process);
    return word;
}

static int stay(void *arg)
{
    put(arg, 1);
    while (pause() < 0)
        continue;
    return 0;
}

static int print_late(void *arg)
{
    put(arg, 1);
    int err = hkt_sleep(0.2);
    printf("child\n");
    return err;
}

static int print_very_late(void *arg)
{
    put(arg, 1);
    int err = hkt_sleep(1.3);
    printf("child\n");
    return err;
}

static int leave_a_child(void)
{
    start_child(stay, false);
    return 0;
}

TEST_TIMEOUT(a_program_that_ends_is_held_a_second_by_a_child_and_names_it, 60)
{
    EACH_METHOD(method)
    {
        method_of_program = method;
        struct program program = run_program(leave_a_child);
        char line[100];
        (void)snprintf(line, sizeof line, "the process ends while its child \"laggard\" (%d) runs",
                       program.words[0]);
        CHECK(strstr(program.said, line) != NULL);
        CHECK(strchr(program.said, '\n') == strrchr(program.said, '\n')); /* one line */
        CHECK(program.seconds >= 1.0);
        check_ended(&program, "parent\n");
    }
}

static int leave_one_that_ends(void)
{
    start_child(print_late, false);
    return 0;
}

TEST_TIMEOUT(a_program_that_ends_waits_for_a_child_that_ends_soon, 60)
{
    EACH_METHOD(method)
    {
        method_of_program = method;
        struct program program = run_program(leave_one_that_ends);
        CHECK_STR(program.said, "");
        check_ended(&program, method == HKT_START_FORK ? "parent\nchild\n" : "child\nparent\n");
    }
}

static int leave_a_daemon(void)
{
    start_child(stay, true);
    return 0;
}

TEST_TIMEOUT(a_program_that_ends_takes_its_daemons_with_it_and_says_nothing, 60)
{
    EACH_METHOD(method)
    {
        method_of_program = method;
        struct program program = run_program(leave_a_daemon);
        CHECK_STR(program.said, "");
        check_ended(&program, "parent\n");
    }
}

static int join_all(void)
{
    start_child(print_very_late, false);
    (void)fflush(stdout);
    return hkt_report(hkt_join_all());
}

TEST_TIMEOUT(join_all_at_the_end_of_main_waits_for_as_long_as_it_takes, 60)
{
    EACH_METHOD(method)
    {
        method_of_program = method;
        struct program program = run_program(join_all);
        CHECK_STR(program.said, "");
        CHECK(program.seconds >= 1.3);
        check_ended(&program, "parent\nchild\n");
    }
}

/* Ctrl-C. */

struct item {
    int *words; /* [0]: how many have begun, [1]: how many were cancelled */
};

static int press_and_wait(void *arg)
{
    int *words = ((struct item *)arg)->words;
    if (__atomic_add_fetch(&words[0], 1, __ATOMIC_SEQ_CST) == 2)
        (void)kill(0, SIGINT); /* as the terminal does, to the whole group */
    int err = hkt_sleep(3600);
    __atomic_add_fetch(&words[1], err == -ECANCELED, __ATOMIC_SEQ_CST);
    return err;
}

static int map_in_pool(void *arg)
{
    hkt_executor *pool = arg;
    struct item items[20];
    int *words = shared_words(2), pids[2];
    for (int i = 0; i < 20; i++)
        items[i].words = words;
    int err = hkt_map(pool, press_and_wait, HKT_ARRAY(items));
    CHECK_EQ(err, -ECANCELED);
    CHECK_EQ(get(&words[0]), 2);
    CHECK_EQ(get(&words[1]), 2);
    CHECK_EQ(hkt_process_pool_pids(pool, pids, 2), 2); /* they are alive */
    words_of_program[0] = pids[0];
    words_of_program[1] = pids[1];
    hkt_shared_free(words);
    return err;
}

static void *take_signals(void *arg)
{
    for (;;)
        nanosleep(&(struct timespec){ .tv_nsec = 1000000 }, NULL);
    return arg;
}

/* TSan holds signals back from a thread that sleeps in a system call that it does not know, as those
 * of a loop and a pool do: there another one takes them. */
static void have_signals_taken(void)
{
    pthread_t thread;
    sigset_t set;
    if (!UNDER_TSAN)
        return;
    CHECK_EQ(pthread_create(&thread, NULL, take_signals, NULL), 0);
    CHECK_EQ(pthread_detach(thread), 0);
    sigemptyset(&set);
    sigaddset(&set, SIGINT);
    CHECK_EQ(pthread_sigmask(SIG_BLOCK, &set, NULL), 0);
}

static int press_ctrl_c(void)
{
    hkt_executor *pool;
    have_signals_taken();
    CHECK_EQ(hkt_process_pool_create(&pool, &(hkt_process_pool_options){ .max_workers = 2 }), 0);
    int err = hkt_run(map_in_pool, pool);
    CHECK_EQ(err, -EINTR);
    hkt_executor_destroy(pool);
    finalize_alone();
    return 0;
}

TEST(a_ctrl_c_cancels_a_map_once_and_ends_the_loop)
{
    struct program program = run_program(press_ctrl_c);
    CHECK_STR(program.said, "");
    CHECK(is_gone_within(program.words[1], 5.0));
    check_ended(&program, "");
}

static int press_ctrl_c_and_report(void)
{
    hkt_executor *pool;
    have_signals_taken();
    CHECK_EQ(hkt_process_pool_create(&pool, &(hkt_process_pool_options){ .max_workers = 2 }), 0);
    return hkt_report(hkt_run(map_in_pool, pool)); /* the belt ends the pool */
}

TEST(a_program_that_was_ended_by_ctrl_c_says_so_by_its_status)
{
    struct program program = run_program(press_ctrl_c_and_report);
    CHECK(WIFSIGNALED(program.status) || WEXITSTATUS(program.status) != 0);
    CHECK(is_gone_within(program.words[1], 5.0));
    program.status = 0;
    check_ended(&program, "");
}
