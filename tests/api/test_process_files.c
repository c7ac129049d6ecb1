/* SPDX-License-Identifier: MIT */
/* The files of a program that runs: its own, removed or replaced by another one, and those of libraries
 * that it has loaded. A test of the program's file runs itself anew from a copy of it. */
#include <dlfcn.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "processes.h"

#define FOLDER "HOCKET_TEST_FOLDER" /* in the environment of a copy: where it lies */

static int add_two(void *arg)
{
    return *(const int *)arg + 2;
}

static void check_starts(void)
{
    for (int i = 0; i < 3; i++) {
        int number = i;
        CHECK_EQ(end_of(start_by(HKT_START_FORKSERVER, add_two, HKT_ITEM(number))), i + 2);
        CHECK_EQ(end_of(start_by(HKT_START_SPAWN, add_two, HKT_ITEM(number))), i + 2);
        CHECK_EQ(end_of(start_by(HKT_START_FORK, add_two, HKT_ITEM(number))), i + 2);
    }
}

static void copy_file(const char *from, const char *to)
{
    static char bytes[1 << 16];
    ssize_t count;
    int in = open(from, O_RDONLY | O_CLOEXEC);
    int out = open(to, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0755);
    CHECK(in >= 0 && out >= 0);
    while ((count = read(in, bytes, sizeof bytes)) > 0)
        CHECK_EQ(write(out, bytes, (size_t)count), count);
    CHECK_EQ(count, 0);
    CHECK_EQ(close(in) + close(out), 0);
}

static const char *path_in(const char *folder, const char *name)
{
    static char paths[2][400];
    static int next;
    next = !next;
    (void)snprintf(paths[next], sizeof paths[next], "%s/%s", folder, name);
    return paths[next];
}

static const char *new_folder(char folder[300])
{
    (void)snprintf(folder, 300, "/tmp/hocket-test-XXXXXX");
    CHECK(mkdtemp(folder) != NULL);
    return folder;
}

static void remove_folder(const char *folder)
{
    static const char *const names[] = { "program", "other", "module.so", "elsewhere.so" };
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        (void)unlink(path_in(folder, names[i]));
    CHECK_EQ(rmdir(folder), 0);
}

/* The folder, in the copy; NULL in the test itself, which has waited for the copy's end. */
static const char *in_a_copy(const char *test)
{
    char folder[300];
    int status = 0;
    const char *there = getenv(FOLDER);
    if (there)
        return there;
    if (getenv("HOCKET_TEST_EMULATOR"))
        TEST_SKIP("in an emulator the program's file is the emulator's");
    new_folder(folder);
    copy_file("/proc/self/exe", path_in(folder, "program"));
    pid_t copy = fork();
    if (copy == 0) {
        const char *program = path_in(folder, "program");
        (void)setenv(FOLDER, folder, 1);
        execl(program, program, "--run", test, (char *)NULL);
        _exit(126);
    }
    CHECK_EQ(waitpid(copy, &status, 0), copy);
    remove_folder(folder);
    CHECK_EQ(status, 0);
    return NULL;
}

/* Another program takes its name: one that would fail if it was started. */
static void replace(const char *folder)
{
    copy_file("/bin/false", path_in(folder, "other"));
    CHECK_EQ(rename(path_in(folder, "other"), path_in(folder, "program")), 0);
}

static void remove_it(const char *folder)
{
    CHECK_EQ(unlink(path_in(folder, "program")), 0);
}

static void check_before_the_server(const char *test, void (*change)(const char *folder))
{
    const char *folder = in_a_copy(test);
    if (folder == NULL)
        return;
    change(folder);
    check_starts();
    finalize_alone();
}

static void check_beside_the_server(const char *test, void (*change)(const char *folder))
{
    const char *folder = in_a_copy(test);
    if (folder == NULL)
        return;
    check_starts();
    change(folder);
    check_starts();
    CHECK_EQ(kill(server_pid(), SIGKILL), 0); /* a new one must be made */
    check_starts();
    finalize_alone();
}

TEST(a_program_whose_file_was_replaced_starts_children_of_its_own_build)
{
    check_before_the_server(__func__ + strlen("test_body_"), replace);
}

TEST(a_program_whose_file_was_removed_starts_children)
{
    check_before_the_server(__func__ + strlen("test_body_"), remove_it);
}

TEST(a_program_whose_file_is_replaced_beside_its_fork_server_starts_children)
{
    check_beside_the_server(__func__ + strlen("test_body_"), replace);
}

TEST(a_program_whose_file_is_removed_beside_its_fork_server_starts_children)
{
    check_beside_the_server(__func__ + strlen("test_body_"), remove_it);
}

/* Libraries. */

static hkt_job *answer_of(void *library)
{
    void *found = dlsym(library, "module_answer");
    hkt_job *job;
    CHECK(found != NULL);
    memcpy(&job, &found, sizeof job);
    return job;
}

static void check_answers(hkt_job *answer)
{
    EACH_METHOD(method)
    {
        int one = 1;
        CHECK_EQ(end_of(start_by(method, answer, HKT_ITEM(one))), 43);
    }
}

TEST(a_function_may_be_of_a_library_that_was_loaded)
{
    void *library = dlopen(MODULE_FILE, RTLD_NOW | RTLD_LOCAL);
    CHECK(library != NULL);
    check_answers(answer_of(library));
    finalize_alone();
    CHECK_EQ(dlclose(library), 0);
}

TEST(a_library_may_be_loaded_after_the_fork_server_was_made_and_by_a_relative_path)
{
    int number = 40;
    char folder[300];
    CHECK_EQ(end_of(start_by(HKT_START_FORKSERVER, add_two, HKT_ITEM(number))), 42);
    copy_file(MODULE_FILE, path_in(new_folder(folder), "module.so"));
    CHECK_EQ(chdir(folder), 0);
    void *library = dlopen("./module.so", RTLD_NOW | RTLD_LOCAL);
    CHECK_EQ(chdir("/"), 0);
    CHECK(library != NULL);
    check_answers(answer_of(library));
    CHECK_EQ(dlclose(library), 0);
    finalize_alone();
    remove_folder(folder);
}

/* What is of another build is refused, and says so: it would be another function, or none. */
TEST(a_library_whose_file_was_replaced_or_removed_is_refused_by_who_has_not_loaded_it)
{
    char folder[300];
    const int number = 1;
    hkt_process *process;
    copy_file(MODULE_FILE, path_in(new_folder(folder), "module.so"));
    copy_file(OTHER_MODULE_FILE, path_in(folder, "elsewhere.so"));
    void *library = dlopen(path_in(folder, "module.so"), RTLD_NOW | RTLD_LOCAL);
    CHECK(library != NULL);
    hkt_job *answer = answer_of(library);
    CHECK_EQ(rename(path_in(folder, "elsewhere.so"), path_in(folder, "module.so")), 0);
    for (int i = 0; i < 2; i++) {
        for (int method = HKT_START_FORKSERVER; method <= HKT_START_SPAWN; method++) {
            hkt_process_options options = { .method = (hkt_start_method)method };
            CHECK_EQ(hkt_process_spawn(&process, answer, HKT_ITEM(number), &options), -ENOEXEC);
            CHECK(strstr(hkt_sentence(-ENOEXEC), "module.so") != NULL);
        }
        if (i == 0)
            CHECK_EQ(unlink(path_in(folder, "module.so")), 0);
    }
    CHECK_EQ(end_of(start_by(HKT_START_FORK, answer, HKT_ITEM(number))), 43); /* it has it */
    CHECK_EQ(dlclose(library), 0);
    finalize_alone();
    remove_folder(folder);
}
