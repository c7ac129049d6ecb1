/* SPDX-License-Identifier: MIT */
/* Streaming maps: order, how many are on the way, how a stream ends and what is awaited then. */
#include "pools.h"
#include "random.h"
#include <stdlib.h>

typedef int imap(hkt_executor *executor, hkt_job *job, size_t item_size,
                 const hkt_imap_options *options);

static imap *const kinds[2] = { hkt_imap, hkt_imap_unordered };

/* A stream of numbers, and what was seen of it. */
struct stream {
    int count;        /* items to produce, */
    int produce_err;  /* then this: 0 or an error */
    int consume_stop; /* consuming this many stops it */
    int consume_err;  /* with this */
    int produced, consumed, most;
    uint64_t caller;
    bool in_order;
    bool seen[1024];
    struct gate *gates;
    atomic_int ran;
    hkt_executor *pool;
    imap *kind;
    hkt_job *job;
    size_t in_flight;
    bool only_produce;
};

struct item {
    struct stream *stream;
    int number, worked;
    char more[16];
};

static int produce(void *context, void *memory)
{
    struct stream *stream = context;
    struct item *item = memory, zero;
    memset(&zero, 0, sizeof zero);
    CHECK(memcmp(item, &zero, sizeof zero) == 0);
    CHECK_EQ(hkt_ident(), stream->caller);
    if (stream->produced == stream->count)
        return stream->produce_err;
    item->stream = stream;
    item->number = stream->produced++;
    memset(item->more, 'x', sizeof item->more);
    int on_the_way = stream->produced - stream->consumed;
    stream->most = on_the_way > stream->most ? on_the_way : stream->most;
    return 1;
}

static int consume(void *context, void *memory, int code)
{
    struct stream *stream = context;
    struct item *item = memory;
    CHECK_EQ(hkt_ident(), stream->caller);
    CHECK(item->stream == stream);
    CHECK_EQ(item->worked, item->number + 1);
    CHECK_EQ(code, item->number % 7 == 6 ? -EIO : item->number);
    CHECK(!stream->seen[item->number]);
    stream->seen[item->number] = true;
    if (stream->in_order)
        CHECK_EQ(item->number, stream->consumed);
    return ++stream->consumed == stream->consume_stop ? stream->consume_err : 0;
}

static int work(void *memory)
{
    struct item *item = memory;
    atomic_fetch_add(&item->stream->ran, 1);
    item->worked = item->number + 1;
    return item->number % 7 == 6 ? -EIO : item->number;
}

static int run(void *arg)
{
    struct stream *stream = arg;
    hkt_imap_options options = { .produce = produce,
                                 .consume = stream->only_produce ? NULL : consume,
                                 .context = stream,
                                 .in_flight = stream->in_flight };
    stream->caller = hkt_ident();
    stream->in_order = stream->kind == hkt_imap;
    return stream->kind(stream->pool, stream->job, sizeof(struct item), &options);
}

static void begin(struct stream *stream, imap *kind, unsigned workers, int count)
{
    *stream = (struct stream){ .kind = kind, .job = work, .count = count };
    stream->pool = must_pool(workers);
}

TEST(all_items_are_worked_on_and_consumed_once)
{
    static struct stream stream;
    for (int i = 0; i < 12; i++) {
        static const size_t in_flight[3] = { 1, 3, 0 };
        unsigned workers = 1 + (unsigned)i / 6;
        begin(&stream, kinds[i % 2], workers, 1000);
        stream.in_flight = in_flight[i / 2 % 3];
        CHECK_EQ(run(&stream), 0);
        CHECK_EQ(stream.consumed, 1000);
        CHECK_EQ(stream.ran, 1000);
        CHECK(stream.most <= (int)(stream.in_flight ? stream.in_flight : 2 * workers + 2));
        end_pool(stream.pool);
    }
}

TEST(an_empty_stream_is_at_its_end)
{
    static struct stream stream;
    for (int i = 0; i < 2; i++) {
        begin(&stream, kinds[i], 1, 0);
        CHECK_EQ(run(&stream), 0);
        end_pool(stream.pool);
    }
}

TEST(a_stream_needs_a_producer)
{
    hkt_executor *pool = must_pool(1);
    hkt_imap_options options = { .in_flight = 1 };
    for (int i = 0; i < 2; i++) {
        CHECK_EQ(kinds[i](pool, work, 1, &options), -EINVAL);
        CHECK_EQ(kinds[i](pool, work, 1, NULL), -EINVAL);
    }
    end_pool(pool);
}

TEST(an_error_of_the_producer_comes_at_its_place)
{
    static struct stream stream;
    for (int i = 0; i < 4; i++) {
        begin(&stream, kinds[i % 2], 1 + (unsigned)i / 2, 20);
        stream.produce_err = -ENODATA;
        CHECK_EQ(run(&stream), -ENODATA);
        CHECK_EQ(stream.consumed, 20);
        end_pool(stream.pool);
    }
}

TEST(a_consumer_that_has_enough_abandons_the_stream)
{
    static const int ends[2] = { -ENOSPC, 42 };
    static struct stream stream;
    for (int i = 0; i < 8; i++) {
        begin(&stream, kinds[i % 2], 1 + (unsigned)i / 4, 1000);
        stream.consume_stop = 20;
        stream.consume_err = ends[i / 2 % 2];
        CHECK_EQ(run(&stream), ends[i / 2 % 2]);
        CHECK_EQ(stream.consumed, 20);
        int ran = stream.ran; /* nobody is at work any more */
        CHECK(ran <= stream.produced);
        hkt_executor_destroy(stream.pool);
        CHECK_EQ(stream.ran, ran);
        check_finalized();
    }
}

static int work_with_words(void *memory)
{
    int code = work(memory);
    return code < 0 ? hkt_fail(code, "the seventh failed") : code;
}

TEST(without_a_consumer_the_first_failure_abandons_the_stream)
{
    static struct stream stream;
    struct lines lines;
    lines_open(&lines);
    for (int i = 0; i < 4; i++) {
        begin(&stream, kinds[i % 2], 1 + (unsigned)i / 2, 1000);
        stream.only_produce = true;
        stream.in_flight = 4;
        stream.job = work_with_words;
        CHECK_EQ(run(&stream), -EIO);
        CHECK_STR(hkt_sentence(-EIO), "the seventh failed");
        CHECK(stream.produced >= 7 && stream.produced <= 12);
        end_pool(stream.pool);
    }
    begin(&stream, hkt_imap, 1, 6);
    stream.only_produce = true;
    CHECK_EQ(run(&stream), 0);
    end_pool(stream.pool);
    CHECK_EQ(lines_count(&lines), 0);
}

/* Stands at the gate of its number, if there is one. */
static int stand(void *memory)
{
    struct item *item = memory;
    atomic_fetch_add(&item->stream->ran, 1);
    item->worked = item->number + 1;
    int err = stand_at(&item->stream->gates[item->number]);
    return err < 0 ? err : item->number;
}

static int stop_at_first(void *context, void *memory, int code)
{
    struct stream *stream = context;
    struct item *item = memory;
    stream->consumed++;
    stream->seen[item->number] = true;
    return code < 0 ? code : -ENOSPC;
}

TEST(the_order_of_ending_is_that_of_consuming_when_unordered)
{
    static struct stream stream;
    struct gate gates[2] = { { .open = { { 0 } } }, { .open = { { 0 } } } };
    begin(&stream, hkt_imap_unordered, 2, 2);
    stream.gates = gates;
    hkt_event_set(&gates[1].open); /* the second one ends, the first one never */
    hkt_imap_options options = { .produce = produce, .consume = stop_at_first, .context = &stream };
    stream.caller = hkt_ident();
    CHECK_EQ(hkt_imap_unordered(stream.pool, stand, sizeof(struct item), &options), -ENOSPC);
    CHECK_EQ(stream.consumed, 1);
    CHECK(stream.seen[1]);
    end_pool(stream.pool);
}

TEST(the_jobs_of_an_abandoned_stream_are_cancelled_and_awaited)
{
    static struct stream stream;
    struct gate gates[8] = { { .open = { { 0 } } } };
    begin(&stream, hkt_imap, 2, 8);
    stream.gates = gates;
    hkt_event_set(&gates[0].open); /* all others stand until they are cancelled */
    hkt_imap_options options = {
        .produce = produce, .consume = stop_at_first, .context = &stream, .in_flight = 8
    };
    stream.caller = hkt_ident();
    CHECK_EQ(hkt_imap(stream.pool, stand, sizeof(struct item), &options), -ENOSPC);
    CHECK_EQ(stream.consumed, 1);
    end_pool(stream.pool);
}

TEST(a_cancelled_stream_returns_when_its_jobs_have_ended)
{
    static struct stream stream;
    for (int i = 0; i < 2; i++) {
        struct gate gates[8] = { { .open = { { 0 } } } };
        struct caller caller;
        begin(&stream, kinds[i], 2, 8);
        stream.gates = gates;
        stream.job = stand;
        caller_start(&caller, run, &stream);
        CHECK_EQ(hkt_event_wait(&gates[0].entered), 0);
        CHECK_EQ(hkt_event_wait(&gates[1].entered), 0);
        await_state(caller.thread, HKT_THREAD_BLOCKED);
        caller_cancel(&caller);
        CHECK_EQ(caller_end(&caller), -ECANCELED);
        CHECK_EQ(stream.consumed, 0);
        CHECK(stream.ran >= 2);
        hkt_executor_destroy(stream.pool);
        begin(&stream, kinds[i], 1, 8);
        CHECK_EQ(call_cancelled(run, &stream), -ECANCELED);
        CHECK_EQ(stream.ran, 0);
        hkt_executor_destroy(stream.pool);
    }
}

TEST(a_closed_executor_ends_a_stream_at_its_place)
{
    static struct stream stream;
    for (int i = 0; i < 2; i++) {
        begin(&stream, kinds[i], 1, 8);
        hkt_executor_close(stream.pool, false);
        CHECK_EQ(run(&stream), -ESHUTDOWN);
        CHECK_EQ(stream.ran, 0);
        end_pool(stream.pool);
    }
}

TEST(a_stream_on_the_inline_and_the_default_executor)
{
    static struct stream stream;
    for (int i = 0; i < 4; i++) {
        stream = (struct stream){ .kind = kinds[i % 2], .job = work, .count = 100 };
        if (i < 2)
            CHECK_EQ(hkt_inline_executor_create(&stream.pool), 0);
        CHECK_EQ(run(&stream), 0);
        CHECK_EQ(stream.consumed, 100);
        end_pool(stream.pool);
    }
}

static int give_the_size(void *memory)
{
    return *(unsigned char *)memory;
}

static int produce_byte(void *context, void *memory)
{
    *(unsigned char *)memory = 200;
    return (*(int *)context)-- > 0;
}

static int consume_byte(void *context, void *memory, int code)
{
    (void)context;
    CHECK_EQ(*(unsigned char *)memory, 200);
    CHECK_EQ(code, 200);
    return 0;
}

TEST(items_may_be_as_small_as_a_byte)
{
    hkt_executor *pool = must_pool(2);
    int left = 50;
    hkt_imap_options options = { .produce = produce_byte,
                                 .consume = consume_byte,
                                 .context = &left };
    CHECK_EQ(hkt_imap(pool, give_the_size, 1, &options), 0);
    left = 50;
    CHECK_EQ(hkt_imap_unordered(pool, give_the_size, 1, &options), 0);
    end_pool(pool);
}

/* Jobs of random lengths, a producer and a consumer too; now and then it is given up. */
static int work_a_while(void *memory)
{
    struct item *item = memory;
    struct test_random random = random_of((uint64_t)item->number);
    await_spinning(random_seconds(&random, 1e-5));
    return work(memory);
}

TEST_TIMEOUT(streams_flow_whatever_the_lengths, 60)
{
    static struct stream stream;
    struct test_random random = random_of(5000);
    for (long i = test_scaled(300); i > 0; i--) {
        begin(&stream, kinds[i % 2], 1 + (unsigned)random_below(&random, 3), 100);
        stream.job = work_a_while;
        stream.in_flight = random_below(&random, 9);
        stream.consume_stop = (int)random_below(&random, 200);
        stream.consume_err = -ENOSPC;
        bool stops = stream.consume_stop > 0 && stream.consume_stop <= 100;
        CHECK_EQ(i % 3 ? run(&stream) : hkt_future_finish(must_submit(stream.pool, run, &stream)),
                 stops ? -ENOSPC : 0);
        CHECK_EQ(stream.consumed, stops ? stream.consume_stop : 100);
        hkt_executor_destroy(stream.pool);
    }
    check_finalized();
}

/* Items that own something: each is consumed or dropped, once. */
struct owners {
    int produced, consumed, dropped, enough;
};

static int produce_owner(void *context, void *item)
{
    struct owners *owners = context;
    *(int **)item = malloc(sizeof(int));
    CHECK(*(int **)item);
    **(int **)item = owners->produced++;
    return owners->produced <= 50 ? 1 : (free(*(int **)item), owners->produced--, 0);
}

static int fail_at_thirty(void *item)
{
    return **(int **)item == 30 ? -EIO : 0;
}

static int consume_owner(void *context, void *item, int code)
{
    struct owners *owners = context;
    (void)code;
    free(*(int **)item);
    return ++owners->consumed == owners->enough ? -EPIPE : 0;
}

static void drop_owner(void *context, void *item)
{
    struct owners *owners = context;
    free(*(int **)item);
    owners->dropped++;
}

TEST(what_is_not_consumed_is_dropped)
{
    for (int kind = 0; kind < 2; kind++) {
        hkt_executor *pool = must_pool(2);
        struct owners owners = { 0 };
        hkt_imap_options options = { .produce = produce_owner,
                                     .drop = drop_owner,
                                     .context = &owners };
        CHECK_EQ(kinds[kind](pool, fail_at_thirty, sizeof(int *), &options), -EIO);
        CHECK(owners.produced > 30 && owners.dropped == owners.produced);
        owners = (struct owners){ .enough = 20 };
        options.consume = consume_owner;
        CHECK_EQ(kinds[kind](pool, fail_at_thirty, sizeof(int *), &options), -EPIPE);
        CHECK_EQ(owners.consumed, 20);
        CHECK_EQ(owners.consumed + owners.dropped, owners.produced);
        owners = (struct owners){ .enough = -1 };
        CHECK_EQ(kinds[kind](pool, fail_at_thirty, sizeof(int *), &options), 0);
        CHECK(owners.consumed == 50 && owners.dropped == 0);
        end_pool(pool);
    }
}
