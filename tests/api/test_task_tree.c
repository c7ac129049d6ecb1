/* SPDX-License-Identifier: MIT */
/* What tasks are there and what each waits for: names, lists, trees, reports. */
#include "loops.h"

static void check_name(const hkt_task *task, const char *expected)
{
    char name[HKT_NAME_MAX];
    hkt_task_get_name(task, name);
    CHECK_STR(name, expected);
}

static int rename_itself(void *arg)
{
    (void)arg;
    CHECK_EQ(hkt_task_set_name(hkt_task_current(), "renamed"), 0);
    check_name(hkt_task_current(), "renamed");
    return hkt_yield();
}

static int give_names(void *arg)
{
    char longest[HKT_NAME_MAX + 10];
    struct gate gate = { 0 };
    hkt_task *tasks[4];
    (void)arg;
    memset(longest, 'x', sizeof longest);
    longest[sizeof longest - 1] = 0;
    check_name(hkt_task_current(), "main");
    tasks[0] = must_start(stand_at, &gate);
    check_name(tasks[0], "Task-2");
    CHECK_EQ(
        hkt_task_spawn_with(&tasks[1], stand_at, &gate, &(hkt_submit_options){ .name = "named" }),
        0);
    check_name(tasks[1], "named");
    tasks[2] = must_start(rename_itself, NULL);
    check_name(tasks[2], "Task-4");
    CHECK_EQ(
        hkt_task_spawn_with(&tasks[3], stand_at, &gate, &(hkt_submit_options){ .name = longest }),
        0);
    longest[HKT_NAME_MAX - 1] = 0;
    check_name(tasks[3], longest);
    CHECK_EQ(hkt_yield(), 0);
    check_name(tasks[2], "renamed");
    CHECK_EQ(hkt_task_set_name(tasks[0], "another"), 0);
    check_name(tasks[0], "another");
    hkt_event_set(&gate.open);
    for (int i = 0; i < 4; i++)
        CHECK_EQ(hkt_future_finish(tasks[i]), 0);
    return 0;
}

TEST(tasks_have_names)
{
    must_run(give_names, NULL);
}

TEST(what_is_no_task_has_no_name_to_give)
{
    hkt_future *future;
    char name[HKT_NAME_MAX];
    CHECK_EQ(hkt_future_create(&future), 0);
    CHECK_EQ(hkt_task_set_name(future, "name"), -EINVAL);
    hkt_task_get_name(future, name);
    CHECK(name[0] != 0);
    CHECK_EQ(hkt_future_cancel(future), 0);
    hkt_future_destroy(future);
    check_finalized();
}

static int see_current(void *arg)
{
    hkt_task **current = arg;
    *current = hkt_task_current();
    CHECK_EQ(hkt_sleep(0.001), 0);
    CHECK(hkt_task_current() == *current);
    return 0;
}

static int see_both(void *arg)
{
    hkt_task *seen[2], *one = must_start(see_current, &seen[0]),
                       *two = must_start(see_current, &seen[1]);
    (void)arg;
    CHECK_EQ(hkt_future_wait(one), 0);
    CHECK_EQ(hkt_future_wait(two), 0);
    CHECK(seen[0] == one && seen[1] == two);
    CHECK(hkt_task_current() != one && hkt_task_current() != two);
    CHECK_EQ(hkt_future_finish(one), 0);
    return hkt_future_finish(two);
}

TEST(a_task_knows_itself)
{
    must_run(see_both, NULL);
}

/* A family: main waits for a parent, which waits for its first child; there is a second child, and one
 * that has not begun. */
struct family {
    struct gate gate;
    hkt_task *child, *idle;
};

static int be_parent(void *arg)
{
    struct family *family = arg;
    CHECK_EQ(hkt_task_spawn_with(&family->child, stand_at, &family->gate,
                                 &(hkt_submit_options){ .name = "child" }),
             0);
    CHECK_EQ(hkt_task_spawn_with(&family->idle, yield_forever, NULL,
                                 &(hkt_submit_options){ .name = "busy" }),
             0);
    return hkt_future_finish(family->child);
}

typedef void look(struct family *family);

static int have_family(void *arg)
{
    struct family family = { 0 };
    hkt_task *parent, *fresh;
    look *looks = *(look **)arg;
    CHECK_EQ(
        hkt_task_spawn_with(&parent, be_parent, &family, &(hkt_submit_options){ .name = "parent" }),
        0);
    CHECK_EQ(hkt_event_wait(&family.gate.entered), 0);
    YIELD_UNTIL(hkt_event_is_set(&family.gate.entered));
    fresh = must_start(do_nothing, NULL);
    looks(&family);
    hkt_event_set(&family.gate.open);
    CHECK_EQ(hkt_future_request_cancel(family.idle), 0);
    CHECK_EQ(hkt_future_finish(family.idle), -ECANCELED);
    CHECK_EQ(hkt_future_finish(fresh), 0);
    return hkt_future_finish(parent);
}

static void run_family(look *looks)
{
    must_run(have_family, &looks);
}

static void look_at_all(struct family *family)
{
    hkt_task_info infos[8];
    memset(infos, 0x55, sizeof infos);
    CHECK_EQ(hkt_task_all(NULL, 0), 5);
    CHECK_EQ(hkt_task_all(infos, 1), 5);
    CHECK_EQ(infos[1].number, UINT64_C(0x5555555555555555));
    CHECK_EQ(hkt_task_all(infos, 8), 5);
    const char *names[] = { "main", "parent", "child", "busy", "Task-5" };
    uint64_t parents[] = { 0, 1, 2, 2, 1 };
    for (int i = 0; i < 5; i++) {
        CHECK_EQ(infos[i].number, i + 1);
        CHECK_EQ(infos[i].parent, parents[i]);
        CHECK_STR(infos[i].name, names[i]);
        CHECK_EQ(infos[i].begun, i != 4);
    }
    CHECK(infos[0].waits_for == NULL); /* it runs */
    CHECK_STR(infos[1].waits_for, "future");
    CHECK_EQ(infos[1].awaits, 3);
    CHECK(infos[1].object == family->child);
    CHECK_STR(infos[2].waits_for, "event");
    CHECK(infos[2].object == &family->gate.open);
    CHECK_EQ(infos[2].awaits, 0);
    CHECK(infos[3].waits_for == NULL); /* it is ready */
    CHECK(infos[4].waits_for == NULL);
}

TEST(all_tasks_are_told_with_what_they_wait_for)
{
    run_family(look_at_all);
}

static void format_tree(struct family *family)
{
    char text[2048], expected[2048], shorter[40];
    size_t length = hkt_task_tree_format(text, sizeof text);
    char *body = strchr(text, '\n');
    CHECK_EQ(length, strlen(text));
    CHECK(strncmp(text, "loop \"loop\" on thread ", 22) == 0);
    CHECK(strstr(text, ": 5 tasks\n") != NULL);
    snprintf(expected, sizeof expected,
             "\n"
             "  task 1 \"main\": is ready\n"
             "    task 2 \"parent\": waits for task 3 \"child\"\n"
             "      task 3 \"child\": waits for event %p\n"
             "      task 4 \"busy\": is ready\n"
             "    task 5 \"Task-5\": has not begun\n",
             (void *)&family->gate.open);
    CHECK_STR(body, expected);
    CHECK_EQ(hkt_task_tree_format(shorter, sizeof shorter), length);
    CHECK_EQ(strlen(shorter), sizeof shorter - 1);
    CHECK(strncmp(shorter, text, sizeof shorter - 1) == 0);
    CHECK_EQ(hkt_task_tree_format(shorter, 1), length);
    CHECK_EQ(shorter[0], 0);
    CHECK_EQ(hkt_task_tree_format(NULL, 0), length);
}

TEST(the_tree_of_tasks_is_formatted)
{
    char text[10] = "x";
    run_family(format_tree);
    CHECK_EQ(hkt_task_tree_format(text, sizeof text), 0); /* in no loop */
    CHECK_STR(text, "");
}

static void report_tree(struct family *family)
{
    struct lines lines;
    (void)family;
    lines_open(&lines);
    hkt_task_tree();
    CHECK_EQ(lines_count(&lines), 6);
    CHECK(lines_have(&lines, "\"loop\" on thread"));
    CHECK(lines_have(&lines, "    task 2 \"parent\": waits for task 3 \"child\""));
    hkt_set_report_sink(NULL, NULL);
}

TEST(the_tree_of_tasks_is_reported)
{
    run_family(report_tree);
}

/* A chain of children, deeper than lines are indented. */
static int go_down(void *arg)
{
    int *left = arg;
    if (--*left == 0)
        return hkt_task_tree_format(NULL, 0) > 0 ? 0 : -EIO;
    return hkt_future_finish(must_start(go_down, left));
}

TEST(the_tree_may_be_deep)
{
    int left = 100;
    must_run(go_down, &left);
}

/* From other threads. */

struct other {
    hkt_event begun, end;
    atomic_bool spin;
};

static int spin_or_wait(void *arg)
{
    struct other *other = arg;
    hkt_event_set(&other->begun);
    while (atomic_load(&other->spin))
        await_moment(); /* no wait of hocket's: its loop cannot answer */
    return hkt_event_wait(&other->end);
}

static int run_other(void *arg)
{
    return hkt_run_with(spin_or_wait, arg, &(hkt_loop_options){ .name = "other" });
}

static struct lines lines;

static int report_all_trees(void *arg)
{
    (void)arg;
    hkt_task_tree();
    return 0;
}

static void look_from_outside(bool from_a_task)
{
    struct other other = { 0 };
    struct caller caller;
    lines_open(&lines);
    caller_start(&caller, run_other, &other);
    CHECK_EQ(hkt_event_wait(&other.begun), 0);
    if (from_a_task)
        CHECK_EQ(hkt_run(report_all_trees, NULL), 0);
    else
        hkt_task_tree();
    CHECK_EQ(lines_count(&lines), from_a_task ? 4 : 2);
    CHECK(lines_have(&lines, "loop \"other\" on thread"));
    CHECK(lines_have(&lines, "  task 1 \"main\": "));
    CHECK(!lines_have(&lines, "does not answer"));
    hkt_event_set(&other.end);
    CHECK_EQ(caller_end(&caller), 0);
    check_finalized();
}

TEST(the_trees_of_other_threads_are_reported)
{
    look_from_outside(false);
}

TEST(a_task_reports_the_trees_of_all_loops)
{
    look_from_outside(true);
}

TEST(a_loop_that_does_not_answer_is_told_so)
{
    struct other other = { 0 };
    struct caller caller;
    lines_open(&lines);
    atomic_store(&other.spin, true);
    caller_start(&caller, run_other, &other);
    CHECK_EQ(hkt_event_wait(&other.begun), 0);
    double began = hkt_monotonic();
    hkt_task_tree();
    double took = hkt_monotonic() - began;
    CHECK(took >= 0.5);
    CHECK_EQ(lines_count(&lines), 1);
    CHECK(lines_have(&lines, "loop \"other\" does not answer"));
    atomic_store(&other.spin, false);
    hkt_event_set(&other.end);
    CHECK_EQ(caller_end(&caller), 0);
    check_finalized();
}

TEST(a_signal_reports_the_trees)
{
    struct other other = { 0 };
    struct caller caller;
    lines_open(&lines);
    CHECK_EQ(hkt_thread_report_on_signal(SIGQUIT), 0);
    caller_start(&caller, run_other, &other);
    CHECK_EQ(hkt_event_wait(&other.begun), 0);
    CHECK_EQ(kill(getpid(), SIGQUIT), 0);
    AWAIT(lines_have(&lines, "task 1 \"main\""));
    CHECK(lines_have(&lines, "loop \"other\" on thread"));
    hkt_event_set(&other.end);
    CHECK_EQ(caller_end(&caller), 0);
    check_finalized();
}

/* Loops come and go while they are looked at. */
static int run_many(void *arg)
{
    for (long i = 0; i < test_scaled(100); i++)
        CHECK_EQ(hkt_run(do_nothing, NULL), 0);
    atomic_fetch_add((atomic_int *)arg, 1);
    return 0;
}

static void ignore_line(void *context, const char *line)
{
    (void)context;
    (void)line;
}

TEST_TIMEOUT(trees_are_looked_at_while_loops_come_and_go, 60)
{
    struct caller callers[3];
    atomic_int ended = 0;
    hkt_set_report_sink(ignore_line, NULL);
    for (int i = 0; i < 3; i++)
        caller_start(&callers[i], run_many, &ended);
    while (atomic_load(&ended) < 3)
        hkt_task_tree();
    for (int i = 0; i < 3; i++)
        CHECK_EQ(caller_end(&callers[i]), 0);
    check_finalized();
}
