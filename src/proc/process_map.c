/* SPDX-License-Identifier: MIT */
/* Map on a process pool: the items go over in parts, several of which are on the board at a time. The
 * caller cuts the parts, hands them in, tells `done`, and waits; who takes an ended part off the board
 * writes down what became of its items. What a part leaves over, since its worker died or it had no
 * room for more sentences, becomes a part again.
 *
 * The map ends with its first failure, or the caller's: who brings that about sets `stop` under the
 * map's guard, and has all parts that are out flagged.
 *
 * Who may touch what: codes, sentences, out, todo, stop, err under the map's guard; the rest is the
 * caller's. Guards: the map's before the pool's. */
#include "proc/process_map.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/memory.h"
#include "park/scope.h"
#include "proc/arena.h"
#include "proc/process_pool_argument.h"

#define PART_BYTES ((size_t)1 << 20)
#define PARTS_A_WORKER 4
#define NOT_ENDED INT32_MIN
#define RETRIES 3 /* of a part whose worker died outside its items */

/* Some items that are on their way, or are to be sent again. One line. */
struct range {
    struct hkti_node node; /* in `out` or `todo` */
    struct map *map;
    struct hkti_parcel *parcel;
    size_t first, count;
    unsigned lost;
};

struct map {
    struct hkti_process_pool *pool;
    hkti_function_name function;
    char *items;
    size_t size, count;
    uint8_t priority;
    bool keep_going, shared;

    uint32_t guard;
    uint32_t news; /* something has ended since the caller looked; atomic */
    struct hkti_wait_list waiter;
    struct hkti_node out, todo;
    size_t out_count, next; /* next: the first item that no range has had */
    bool stop;
    int err;
    size_t failed;
    char sentence[HKT_SENTENCE_MAX];
    int *codes;
    char **sentences; /* of the items that failed with one */
};

/* Under the map's guard. */
static void stop(struct map *map, int err, size_t failed, const char *sentence)
{
    if (map->stop)
        return;
    map->stop = true;
    map->err = err;
    map->failed = failed;
    snprintf(map->sentence, sizeof map->sentence, "%s", sentence ? sentence : "");
    hkti_guard_acquire(&map->pool->guard);
    for (struct hkti_node *node = map->out.next; node && node != &map->out; node = node->next)
        hkti_process_pool_flag(map->pool, HKTI_CONTAINER(node, struct range, node)->parcel);
    hkti_guard_release(&map->pool->guard);
}

/* Under the map's guard: the end of one item. */
static void end_item(struct map *map, size_t index, int code, const char *sentence)
{
    map->codes[index] = code;
    if (code < 0 && sentence && sentence[0] &&
        (map->sentences[index] = hkti_allocate(HKT_SENTENCE_MAX)) != NULL)
        snprintf(map->sentences[index], HKT_SENTENCE_MAX, "%s", sentence);
    if (code < 0 && !map->keep_going)
        stop(map, code, index, sentence);
}

/* What the worker has told of an item that failed. */
static const char *sentence_of(const struct hkti_part *part, uint32_t index, char text[])
{
    for (uint32_t i = 0; i < part->sentence_count && i < HKTI_PART_SENTENCES; i++)
        if (part->sentence_of[i] == index) {
            memcpy(text, part->sentences[i], HKT_SENTENCE_MAX);
            text[HKT_SENTENCE_MAX - 1] = 0;
            return text;
        }
    return NULL;
}

/* Under the map's guard: those items of a part that have ended: how many. */
static size_t take_ended(struct map *map, struct range *range, struct hkti_part *part)
{
    char text[HKT_SENTENCE_MAX];
    size_t ended = hkti_load_acquire(&part->ended); /* pairs: part */
    if (ended > range->count)
        ended = range->count;
    for (size_t i = 0; i < ended; i++) {
        int code = part->codes[i];
        const char *sentence = code < 0 ? sentence_of(part, (uint32_t)i, text) : NULL;
        end_item(map, range->first + i, code == NOT_ENDED ? -EBADMSG : code, sentence);
    }
    return ended;
}

/* Under the map's guard: the rest of a range, which is run again, if the map goes on; false: there is none,
 * and the range is over. */
static bool send_again(struct map *map, struct range *range)
{
    if (range->count == 0 || map->stop)
        return false;
    hkti_list_append(&map->todo, &range->node);
    return true;
}

/* Under the map's guard: the worker has died in this range: the item that it was in is to be settled. */
static void lose(struct map *map, struct range *range, const struct hkti_part *part, size_t ended,
                 const struct hkti_outcome *outcome)
{
    const struct hkti_process_pool *pool = map->pool;
    bool in_item = hkti_load_acquire(&part->begun) > ended; /* pairs: part */
    bool again = outcome->result == -EOWNERDEAD && pool->on_lost_worker == HKT_LOST_RETRY;
    unsigned limit = in_item ? (again ? pool->retries : 0) : RETRIES;
    char sentence[HKT_SENTENCE_MAX];
    range->lost = ended > 0 ? 1 : range->lost + 1;
    if (range->lost <= limit)
        return;
    if (range->lost > 1)
        snprintf(sentence, sizeof sentence, "item %zu killed %u workers; %.63s", range->first,
                 range->lost, outcome->sentence ? outcome->sentence : "");
    else
        snprintf(sentence, sizeof sentence, "item %zu was lost: %.63s", range->first,
                 outcome->sentence ? outcome->sentence : "");
    end_item(map, range->first, outcome->result, outcome->sentence ? sentence : NULL);
    range->first++;
    range->count--;
    range->lost = 0;
}

void hkti_map_part_ended(struct hkti_process_pool *pool, struct hkti_parcel *parcel,
                         const struct hkti_outcome *outcome)
{
    struct range *range = parcel->arg;
    struct map *map = range->map;
    struct hkti_part *part = parcel->memory;
    struct hkti_wait_list wake = { { NULL, NULL } };
    if (!map->shared && !outcome->recalled) {
        size_t ended = hkti_load_acquire(&part->ended); /* pairs: part */
        if (ended > range->count)
            ended = range->count;
        memcpy(map->items + range->first * map->size, hkti_part_item(part, 0), ended * map->size);
    }
    hkti_guard_acquire(&map->guard);
    hkti_list_remove(&range->node);
    size_t ended = take_ended(map, range, part);
    if (ended > 1)
        pool->ended_jobs += ended - 1; /* one is counted for the part */
    range->first += ended;
    range->count -= ended;
    if (outcome->lost && range->count > 0)
        lose(map, range, part, ended, outcome);
    else if (outcome->result < 0 && range->count > 0)
        stop(map, outcome->result, map->count, outcome->sentence);
    if (!send_again(map, range))
        hkti_line_release(range);
    map->out_count--;
    hkti_store_relaxed(&map->news, 1);
    hkti_wait_list_take(&map->waiter, 1, 0, &wake);
    hkti_guard_release(&map->guard);
    hkti_wake_all(&wake);
}

/* The next range: one that was left over, or new items; NULL: there are none, or there is no memory. */
static struct range *next_range(struct map *map)
{
    size_t workers = map->pool->executor.max_workers;
    hkti_guard_acquire(&map->guard);
    struct hkti_node *node = map->stop ? NULL : hkti_list_pop(&map->todo);
    size_t left = map->stop ? 0 : map->count - map->next;
    hkti_guard_release(&map->guard);
    if (node)
        return HKTI_CONTAINER(node, struct range, node);
    struct range *range = left > 0 ? hkti_line_allocate() : NULL;
    if (range == NULL)
        return NULL;
    size_t count = (map->count + PARTS_A_WORKER * workers - 1) / (PARTS_A_WORKER * workers);
    size_t limit = PART_BYTES / (map->shared ? sizeof(int) : map->size + sizeof(int));
    if (count > limit)
        count = limit ? limit : 1;
    *range = (struct range){ .map = map, .first = map->next, .count = count < left ? count : left };
    return range;
}

/* Hands a range in: 0; -EAGAIN: there is no memory, until parts that are out come back. */
static int send(struct map *map, struct range *range)
{
    struct hkti_process_pool *pool = map->pool;
    size_t head = offsetof(struct hkti_part, codes) + range->count * sizeof(int32_t) + 64;
    size_t bytes = head + (map->shared ? 0 : range->count * map->size);
    char *items = map->items + range->first * map->size;
    struct hkti_parcel *parcel = hkti_parcel_make(NULL, range, bytes, 0);
    struct hkti_part *part = parcel ? hkti_shared_allocate(bytes, false) : NULL;
    if (part == NULL) {
        if (parcel)
            hkti_line_release(parcel);
        return -EAGAIN;
    }
    memset(part, 0, sizeof *part);
    part->size = map->size;
    part->items = map->shared ? items : NULL;
    part->count = (uint32_t)range->count;
    part->keep_going = map->keep_going;
    for (size_t i = 0; i < range->count; i++)
        part->codes[i] = NOT_ENDED;
    if (!map->shared)
        memcpy(hkti_part_item(part, 0), items, range->count * map->size);
    parcel->memory = part;
    parcel->function = map->function;
    parcel->priority = map->priority;
    parcel->flags = HKTI_PARCEL_PART | HKTI_PARCEL_CLAIMED;
    range->parcel = parcel;
    hkti_guard_acquire(&pool->guard);
    pool->bytes += bytes;
    hkti_guard_release(&pool->guard);
    hkti_guard_acquire(&map->guard);
    hkti_list_append(&map->out, &range->node);
    map->out_count++;
    hkti_guard_release(&map->guard);
    int err = hkti_process_pool_add(pool, parcel);
    if (err == 0)
        return 0;
    hkti_guard_acquire(&map->guard);
    hkti_list_remove(&range->node);
    map->out_count--;
    hkti_guard_acquire(&pool->guard);
    hkti_parcel_release(pool, parcel);
    hkti_guard_release(&pool->guard);
    hkti_guard_release(&map->guard);
    return err;
}

/* It has not been sent: it comes again, or the map ends. True: something is to be waited for. */
static bool not_sent(struct map *map, struct range *range, int err)
{
    hkti_guard_acquire(&map->guard);
    bool later = err == -EAGAIN && map->out_count > 0;
    if (later) {
        hkti_list_prepend(&map->todo, &range->node);
    } else {
        err = err == -EAGAIN ? -ENOMEM : err;
        const struct hkti_strand *self = hkti_self();
        stop(map, err, range->first, self->sentence_err == err ? self->sentence : NULL);
        hkti_line_release(range);
    }
    hkti_guard_release(&map->guard);
    return later;
}

static size_t count_out(struct map *map)
{
    hkti_guard_acquire(&map->guard);
    size_t count = map->out_count;
    hkti_guard_release(&map->guard);
    return count;
}

/* As many as there should be. */
static void send_more(struct map *map)
{
    size_t limit = (size_t)map->pool->executor.max_workers * PARTS_A_WORKER + PARTS_A_WORKER;
    struct range *range = NULL;
    while (count_out(map) < limit && (range = next_range(map)) != NULL) {
        size_t count = range->first == map->next ? range->count : 0; /* of new items */
        int err = send(map, range);                                  /* it may be gone then */
        if (err == 0 || err == -EAGAIN)
            map->next += count;
        if (err < 0 && not_sent(map, range, err))
            break;
    }
    hkti_guard_acquire(&map->guard);
    if (range == NULL && !map->stop && map->out_count == 0 && map->next < map->count)
        stop(map, -ENOMEM, map->count, NULL);
    hkti_guard_release(&map->guard);
}

static bool has_news(void *arg)
{
    return hkti_load_relaxed(&((struct map *)arg)->news);
}

/* Until a part has ended, or the caller's scope has. */
static int await(struct map *map, bool cancellable)
{
    struct hkti_wait wait = { .what = "map",
                              .object = map,
                              .list = &map->waiter,
                              .guard = &map->guard,
                              .cancellable = cancellable,
                              .for_jobs = hkti_self()->coroutine != NULL };
    struct hkti_attendance attendance = { .executor = &map->pool->executor };
    int err;
    hkti_attend_begin(&attendance, 0);
    do {
        hkti_attend_prepare(&attendance, &wait, has_news, map);
        hkti_guard_acquire(&map->guard);
        struct hkti_wait once = wait;
        err = 0;
        if (hkti_load_relaxed(&map->news))
            hkti_guard_release(&map->guard);
        else
            err = hkti_wait(&once);
    } while (err == 1);
    hkti_attend_end(&attendance);
    return err;
}

/* Calls `done` for those that have ended, in their order, from *index on. */
static void tell(struct map *map, size_t *index, bool all, const hkt_map_options *options)
{
    while (*index < map->count) {
        hkti_guard_acquire(&map->guard);
        int code = map->codes[*index];
        const char *sentence = map->sentences[*index];
        hkti_guard_release(&map->guard);
        if (code == NOT_ENDED && !all)
            return;
        if (code == NOT_ENDED)
            code = -ECANCELED;
        if (code < 0 && sentence)
            hkt_fail(code, "%s", sentence);
        else if (code < 0)
            hkti_self()->sentence_err = 0;
        options->done(options->context, (*index)++, code);
    }
}

static void run(struct map *map, const hkt_map_options *options)
{
    size_t told = 0;
    bool cancellable = true;
    for (;;) {
        hkti_store_relaxed(&map->news, 0);
        send_more(map);
        if (options && options->done)
            tell(map, &told, false, options);
        hkti_guard_acquire(&map->guard);
        bool over = map->out_count == 0 &&
                    (map->stop || (hkti_list_empty(&map->todo) && map->next == map->count));
        hkti_guard_release(&map->guard);
        if (over)
            break;
        int err = await(map, cancellable);
        if (err < 0) {
            hkti_guard_acquire(&map->guard);
            stop(map, err, map->count, NULL);
            hkti_guard_release(&map->guard);
            cancellable = false;
        }
    }
    if (options && options->done)
        tell(map, &told, true, options);
}

/* All have ended: the failure to return, and what is told of it. */
static int collect(struct map *map, const hkt_map_options *options)
{
    int result = map->stop ? map->err : 0;
    size_t failed = map->stop ? map->failed : map->count;
    for (size_t i = 0; i < map->count; i++) {
        if (map->codes[i] == NOT_ENDED)
            map->codes[i] = -ECANCELED;
        if (map->codes[i] < 0 && result == 0) {
            result = map->codes[i];
            failed = i;
        }
    }
    const char *sentence = failed < map->count && map->sentences[failed] ? map->sentences[failed]
                                                                         : map->sentence;
    if (result < 0 && sentence[0])
        hkt_fail(result, "%s", sentence);
    else if (result < 0)
        hkti_self()->sentence_err = 0;
    if (result < 0 && options && options->failed)
        *options->failed = failed;
    return result;
}

/* Gives back what there is. */
static void end(struct map *map, const hkt_map_options *options)
{
    struct hkti_node *node;
    while ((node = hkti_list_pop(&map->todo)) != NULL)
        hkti_line_release(HKTI_CONTAINER(node, struct range, node));
    for (size_t i = 0; map->sentences && i < map->count; i++)
        if (map->sentences[i])
            hkti_release(map->sentences[i], HKT_SENTENCE_MAX);
    if (map->sentences)
        hkti_release(map->sentences, map->count * sizeof *map->sentences);
    if (map->codes && !(options && options->codes))
        hkti_release(map->codes, map->count * sizeof *map->codes);
}

int hkti_process_pool_map(hkt_executor *executor, hkt_job *job, void *items, size_t count,
                          size_t size, const hkt_map_options *options)
{
    struct map map = { .pool = (struct hkti_process_pool *)executor,
                       .items = items,
                       .size = size,
                       .count = count,
                       .priority = options ? (uint8_t)options->priority : 0,
                       .keep_going = options && options->keep_going,
                       .codes = options ? options->codes : NULL };
    size_t copied = size;
    int err = hkti_process_pool_check(map.pool);
    if (err < 0 || count == 0)
        return err;
    if (map.priority > HKT_PRIORITY_BACKGROUND || size > PTRDIFF_MAX / count)
        return -EINVAL;
    if (items || size)
        err = hkti_argument_check(items, &copied);
    if (err == 0)
        err = hkti_function_encode(job, &map.function);
    if (err < 0)
        return err;
    map.shared = copied == 0;
    map.sentences = hkti_allocate(count * sizeof *map.sentences);
    if (map.codes == NULL)
        map.codes = hkti_allocate(count * sizeof *map.codes);
    if (map.sentences == NULL || map.codes == NULL) {
        end(&map, options);
        return -ENOMEM;
    }
    for (size_t i = 0; i < count; i++)
        map.codes[i] = NOT_ENDED;
    run(&map, options);
    err = collect(&map, options);
    end(&map, options);
    return err;
}
