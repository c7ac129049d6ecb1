/* SPDX-License-Identifier: MIT */
/* The tree of tasks: who was spawned by whom, and what each waits for.
 *
 * A loop's tasks are looked at by its own thread alone. Who wants to see those of all loops
 * hands each of them a callback that writes its lines, and waits for half a second. A request
 * has two references, the asker's and the loop's; the last one gives it back.
 *
 * Who may touch what: the list of loops under the guard, under which requests are handed in, so
 * that a loop is there meanwhile; refs atomically. */
#include <errno.h>
#include <hocket/event.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/memory.h"
#include "base/report.h"
#include "base/seconds.h"
#include "loop/tasks.h"

#define PATIENCE 0.5

static uint32_t guard;
static struct hkti_node loops;

struct request {
    uint32_t refs;
    hkt_loop *loop;
    char name[HKT_NAME_MAX]; /* of the loop */
    hkt_event done;
    struct request *next;
};

/* A task as it is looked for: by its future, or by its parent. */
struct place {
    uint64_t key, number;
};

/* Tasks on their way to a caller. */
struct tree {
    hkt_task_info *infos;   /* by number */
    struct place *children; /* by parent, then number; roots have 0 */
    size_t count, room;
};

static void capture(void *context, struct hkti_task *task, struct hkti_strand *strand)
{
    struct tree *tree = context;
    if (tree->count == tree->room)
        return;
    size_t place = tree->count++;
    hkt_task_info *info = &tree->infos[place];
    *info = (hkt_task_info){ .number = task->number, .parent = task->parent };
    hkti_task_name(task->future, info->name);
    tree->children[place] = (struct place){ (uintptr_t)task->future, task->number };
    info->begun = strand != NULL;
    info->waits_for = strand ? hkti_load_relaxed(&strand->what) : NULL;
    info->object = info->waits_for ? hkti_load_relaxed(&strand->object) : NULL;
}

static int compare(uint64_t a, uint64_t b)
{
    return a < b ? -1 : a > b;
}

static int by_number(const void *a, const void *b)
{
    return compare(((const hkt_task_info *)a)->number, ((const hkt_task_info *)b)->number);
}

static int by_key(const void *a, const void *b)
{
    const struct place *one = a, *two = b;
    int keys = compare(one->key, two->key);
    return keys ? keys : compare(one->number, two->number);
}

static const hkt_task_info *find(const struct tree *tree, uint64_t number)
{
    hkt_task_info key = { .number = number };
    return number ? bsearch(&key, tree->infos, tree->count, sizeof key, by_number) : NULL;
}

/* The first place that is not before this one. */
static size_t lower(const struct tree *tree, uint64_t key, uint64_t number)
{
    const struct place wanted = { key, number };
    size_t low = 0, high = tree->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (by_key(&tree->children[middle], &wanted) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static void count_only(void *context, struct hkti_task *task, struct hkti_strand *strand)
{
    (void)context;
    (void)task;
    (void)strand;
}

static void give_back(struct tree *tree)
{
    hkti_release(tree->infos, tree->room * sizeof *tree->infos);
    hkti_release(tree->children, tree->room * sizeof *tree->children);
}

/* Sorts what was captured, finds who waits for whom, and the children of each. */
static void arrange(struct tree *tree)
{
    qsort(tree->infos, tree->count, sizeof *tree->infos, by_number);
    qsort(tree->children, tree->count, sizeof *tree->children, by_key);
    for (size_t i = 0; i < tree->count; i++) {
        hkt_task_info *info = &tree->infos[i];
        size_t at = info->object ? lower(tree, (uintptr_t)info->object, 0) : tree->count;
        if (at < tree->count && tree->children[at].key == (uintptr_t)info->object)
            info->awaits = tree->children[at].number;
    }
    for (size_t i = 0; i < tree->count; i++) {
        uint64_t parent = find(tree, tree->infos[i].parent) ? tree->infos[i].parent : 0;
        tree->children[i] = (struct place){ parent, tree->infos[i].number };
    }
    qsort(tree->children, tree->count, sizeof *tree->children, by_key);
}

/* All tasks of the loop, on its own thread: 0, -ENOMEM. */
static int take(hkt_loop *loop, struct tree *tree)
{
    *tree = (struct tree){ .room = hkti_tasks_visit(loop, count_only, NULL) + 1 };
    tree->infos = hkti_allocate(tree->room * sizeof *tree->infos);
    tree->children = hkti_allocate(tree->room * sizeof *tree->children);
    if (tree->infos == NULL || tree->children == NULL) {
        give_back(tree);
        return -ENOMEM;
    }
    hkti_tasks_visit(loop, capture, tree);
    arrange(tree);
    return 0;
}

size_t hkt_task_all(hkt_task_info *infos, size_t n)
{
    hkt_loop *loop = hkt_loop_running();
    struct tree tree;
    if (loop == NULL)
        return 0;
    if (take(loop, &tree) < 0)
        return hkti_tasks_visit(loop, count_only, NULL);
    for (size_t i = 0; i < tree.count && i < n; i++)
        infos[i] = tree.infos[i];
    give_back(&tree);
    return tree.count;
}

/* Where the lines go. */
typedef void line_sink(void *context, const char *line);

static void write_line(const struct tree *tree, const hkt_task_info *info, int depth,
                       line_sink *sink, void *context)
{
    char line[320], does[128];
    const hkt_task_info *awaited = find(tree, info->awaits);
    if (!info->begun)
        snprintf(does, sizeof does, "has not begun");
    else if (info->waits_for == NULL)
        snprintf(does, sizeof does, "is ready");
    else if (awaited)
        snprintf(does, sizeof does, "waits for task %llu \"%s\"",
                 (unsigned long long)awaited->number, awaited->name);
    else
        snprintf(does, sizeof does, "waits for %s %p", info->waits_for, info->object);
    snprintf(line, sizeof line, "%*stask %llu \"%s\": %s", 2 * depth + 2, "",
             (unsigned long long)info->number, info->name, does);
    sink(context, line);
}

/* Of children[at], who has been written: its first child; or who comes after it or after one of
 * those above it. Their number if there is none. */
static size_t follow(const struct tree *tree, size_t at, int *depth)
{
    uint64_t number = tree->children[at].number;
    size_t next = lower(tree, number, 0);
    for (++*depth; next == tree->count || tree->children[next].key != number; --*depth) {
        uint64_t parent = tree->children[at].key;
        if (at + 1 < tree->count && tree->children[at + 1].key == parent) {
            --*depth;
            return at + 1;
        }
        if (parent == 0)
            return tree->count;
        const hkt_task_info *above = find(tree, parent);
        uint64_t key = find(tree, above->parent) ? above->parent : 0;
        at = lower(tree, key, parent);
    }
    return next;
}

/* A tree may be deep, and the stack is small: without recursion. Those at a great depth are not
 * indented further. */
#define DEEPEST 32
static void write_all(const struct tree *tree, line_sink *sink, void *context)
{
    int depth = 0;
    for (size_t at = 0; at < tree->count; at = follow(tree, at, &depth))
        write_line(tree, find(tree, tree->children[at].number), depth < DEEPEST ? depth : DEEPEST,
                   sink, context);
}

static void write_tree(hkt_loop *loop, line_sink *sink, void *context)
{
    struct tree tree;
    char line[160];
    if (take(loop, &tree) < 0) {
        sink(context, "no memory for the tree of tasks");
        return;
    }
    snprintf(line, sizeof line, "loop \"%s\" on thread %d: %zu tasks", loop->name,
             loop->carrier.base->native_id, tree.count);
    sink(context, line);
    write_all(&tree, sink, context);
    give_back(&tree);
}

struct text {
    char *text;
    size_t size, length;
};

static void to_text(void *context, const char *line)
{
    struct text *text = context;
    size_t room = text->length < text->size ? text->size - text->length : 0;
    int length = snprintf(room ? text->text + text->length : NULL, room, "%s\n", line);
    text->length += (size_t)length;
}

size_t hkt_task_tree_format(char *buffer, size_t size)
{
    struct text text = { buffer, size, 0 };
    hkt_loop *loop = hkt_loop_running();
    if (size)
        buffer[0] = 0;
    if (loop)
        write_tree(loop, to_text, &text);
    return text.length;
}

static void to_report(void *context, const char *line)
{
    (void)context;
    hkti_report_line("%s", line);
}

static void drop(struct request *request)
{
    if (hkti_fetch_add_acq_rel(&request->refs, (uint32_t)-1) == 1) /* pairs: tree-request */
        hkti_release(request, sizeof *request);
}

static int answer(void *arg)
{
    struct request *request = arg;
    write_tree(request->loop, to_report, NULL);
    hkt_event_set(&request->done);
    drop(request);
    return 0;
}

/* Under the guard: asks a loop of another thread. */
static struct request *ask(hkt_loop *loop, struct request *next)
{
    struct request *request = hkti_allocate(sizeof *request);
    if (request == NULL)
        return next;
    hkti_init(&request->refs, 2);
    request->loop = loop;
    request->next = next;
    snprintf(request->name, sizeof request->name, "%s", loop->name);
    if (hkt_loop_call_soon(loop, NULL, answer, request) == 0)
        return request;
    hkti_release(request, sizeof *request);
    return next;
}

static void await_answer(struct request *request, hkt_deadline patience)
{
    if (hkt_event_wait_until(&request->done, patience) < 0)
        hkti_report_line(
            "loop \"%s\" does not answer: it is not run, or a task of it does not wait",
            request->name);
    drop(request);
}

void hkt_task_tree(void)
{
    struct request *asked = NULL, *next;
    hkt_loop *own[8];
    size_t owned = 0;
    hkti_guard_acquire(&guard);
    for (struct hkti_node *node = loops.next; node && node != &loops; node = node->next) {
        hkt_loop *loop = HKTI_CONTAINER(node, struct hkt_loop, node);
        if (!hkti_loop_is_here(loop))
            asked = ask(loop, asked);
        else if (owned < sizeof own / sizeof *own)
            own[owned++] = loop;
    }
    hkti_guard_release(&guard);
    for (size_t i = 0; i < owned; i++)
        write_tree(own[i], to_report, NULL);
    hkt_scope scope;
    hkt_scope_enter(&scope, &(hkt_scope_options){ .shield = true });
    hkt_deadline patience = hkt_after(PATIENCE);
    for (; asked; asked = next) {
        next = asked->next;
        await_answer(asked, patience);
    }
    hkt_scope_leave(&scope);
}

void hkti_loops_add(hkt_loop *loop)
{
    hkti_guard_acquire(&guard);
    hkti_list_append(&loops, &loop->node);
    hkti_guard_release(&guard);
}

void hkti_loops_remove(hkt_loop *loop)
{
    hkti_guard_acquire(&guard);
    hkti_list_remove(&loop->node);
    hkti_guard_release(&guard);
}

static struct hkti_strand_events events = { .report = hkt_task_tree };

__attribute__((constructor(200))) static void begin(void)
{
    hkti_strand_events_add(&events);
}
