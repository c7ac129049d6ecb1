/* SPDX-License-Identifier: MIT */
/* Lists of values in shared memory. */
#include <hocket.h>
#include <math.h>
#include <sys/wait.h>

#include "pools.h"
#include "random.h"

#include <unistd.h>

#define NONE                                                                                       \
    {                                                                                              \
        .kind = HKT_VALUE_NONE                                                                     \
    }
#define BOOL(x)                                                                                    \
    {                                                                                              \
        .kind = HKT_VALUE_BOOL, .as.boolean = (x)                                                  \
    }
#define INT(x)                                                                                     \
    {                                                                                              \
        .kind = HKT_VALUE_INT, .as.integer = (x)                                                   \
    }
#define FLOAT(x)                                                                                   \
    {                                                                                              \
        .kind = HKT_VALUE_FLOAT, .as.real = (x)                                                    \
    }
#define STRING(x)                                                                                  \
    {                                                                                              \
        .kind = HKT_VALUE_STRING, .as.string = (x)                                                 \
    }
#define BYTES(x, n)                                                                                \
    {                                                                                              \
        .kind = HKT_VALUE_BYTES, .size = (n), .as.bytes = (x)                                      \
    }

static const hkt_value all[] = { NONE,       BOOL(true),        INT(INT64_MIN),
                                 FLOAT(1.5), STRING("seven\0"), BYTES("\0\1\2", 3),
                                 STRING(""), BYTES(NULL, 0),    BOOL(false),
                                 INT(-1),    FLOAT(-0.0),       STRING("0123456789abcdef") };
enum { ALL = sizeof all / sizeof *all };

static hkt_shareable_list *must_list(const hkt_value *values, size_t count)
{
    hkt_shareable_list *list = NULL;
    CHECK_EQ(hkt_shareable_list_create(&list, NULL, values, count), 0);
    return list;
}

static const char *name_of(const hkt_shareable_list *list)
{
    return hkt_shared_memory_name(hkt_shareable_list_memory(list));
}

static void check_item(const hkt_shareable_list *list, size_t index, const hkt_value *expected)
{
    hkt_value value;
    CHECK_EQ(hkt_shareable_list_get(list, index, &value), 0);
    CHECK_EQ(value.kind, expected->kind);
    switch (value.kind) {
    case HKT_VALUE_NONE:
        break;
    case HKT_VALUE_BOOL:
        CHECK_EQ(value.as.boolean, expected->as.boolean);
        break;
    case HKT_VALUE_INT:
        CHECK_EQ(value.as.integer, expected->as.integer);
        break;
    case HKT_VALUE_FLOAT:
        CHECK(value.as.real == expected->as.real);
        CHECK_EQ(signbit(value.as.real), signbit(expected->as.real));
        break;
    case HKT_VALUE_STRING:
        CHECK_STR(value.as.string, expected->as.string);
        CHECK_EQ(value.size, strlen(expected->as.string));
        break;
    case HKT_VALUE_BYTES:
        CHECK_EQ(value.size, expected->size);
        CHECK(expected->size == 0 || memcmp(value.as.bytes, expected->as.bytes, value.size) == 0);
        break;
    }
}

TEST(a_list_has_the_values_that_it_was_made_of)
{
    hkt_shareable_list *list = must_list(all, ALL), *other = NULL;
    CHECK_EQ(hkt_shareable_list_open(&other, name_of(list)), 0);
    CHECK_EQ(hkt_shareable_list_length(list), ALL);
    CHECK_EQ(hkt_shareable_list_length(other), ALL);
    for (size_t i = 0; i < ALL; i++) {
        check_item(list, i, &all[i]);
        check_item(other, i, &all[i]);
    }
    CHECK(hkt_shared_memory_is_owner(hkt_shareable_list_memory(list)));
    CHECK(!hkt_shared_memory_is_owner(hkt_shareable_list_memory(other)));
    hkt_shareable_list_destroy(list);
    hkt_shareable_list_destroy(other);
    hkt_shareable_list_destroy(NULL);
    check_finalized();
}

TEST(what_one_sets_the_other_gets)
{
    hkt_shareable_list *list = must_list(all, ALL), *other = NULL;
    CHECK_EQ(hkt_shareable_list_open(&other, name_of(list)), 0);
    for (size_t i = 0; i < ALL; i++) {
        /* Each has room for 8 bytes, of any kind. */
        static const hkt_value small[] = { NONE,       BOOL(true),        INT(42),
                                           FLOAT(2.5), STRING("1234567"), BYTES("12345678", 8) };
        for (size_t j = 0; j < sizeof small / sizeof *small; j++) {
            CHECK_EQ(hkt_shareable_list_set(list, i, &small[j]), 0);
            check_item(other, i, &small[j]);
        }
        for (size_t j = i + 1; j < ALL; j++)
            check_item(other, j, &all[j]);
    }
    hkt_shareable_list_destroy(other);
    hkt_shareable_list_destroy(list);
    check_finalized();
}

TEST(an_item_keeps_its_room)
{
    static const hkt_value values[] = { STRING("12345678"), INT(1) };
    static const hkt_value fits = STRING("123456789012345"), too_long = STRING("1234567890123456"),
                           nine = BYTES("123456789", 9);
    hkt_shareable_list *list = must_list(values, 2);
    CHECK_EQ(hkt_shareable_list_set(list, 0, &fits), 0); /* with its zero 9 bytes, so 16 */
    CHECK_EQ(hkt_shareable_list_set(list, 0, &too_long), -EMSGSIZE);
    check_item(list, 0, &fits);
    CHECK_EQ(hkt_shareable_list_set(list, 1, &nine), -EMSGSIZE);
    check_item(list, 1, &values[1]);
    hkt_value got;
    CHECK_EQ(hkt_shareable_list_get(list, 0, &got), 0);
    CHECK_EQ(hkt_shareable_list_set(list, 0, &got), 0); /* what lies in it already */
    check_item(list, 0, &fits);
    hkt_shareable_list_destroy(list);
    check_finalized();
}

TEST(beyond_the_length_there_is_nothing)
{
    hkt_shareable_list *list = must_list(all, 2), *empty = must_list(NULL, 0), *again = NULL;
    hkt_value value;
    CHECK_EQ(hkt_shareable_list_get(list, 2, &value), -EINVAL);
    CHECK_EQ(hkt_shareable_list_set(list, 2, &all[0]), -EINVAL);
    CHECK_EQ(hkt_shareable_list_set(list, SIZE_MAX, &all[0]), -EINVAL);
    CHECK_EQ(hkt_shareable_list_length(empty), 0);
    CHECK_EQ(hkt_shareable_list_get(empty, 0, &value), -EINVAL);
    CHECK_EQ(hkt_shareable_list_index(empty, &all[0]), -ENOENT);
    CHECK_EQ(hkt_shareable_list_open(&again, name_of(empty)), 0);
    hkt_shareable_list_destroy(again);
    hkt_shareable_list_destroy(empty);
    hkt_shareable_list_destroy(list);
    check_finalized();
}

TEST(equal_items_are_found_and_counted)
{
    static const hkt_value values[] = { INT(1),      FLOAT(1),       BOOL(true), STRING("a"),
                                        INT(1),      BYTES("a", 1),  NONE,       STRING("a"),
                                        FLOAT(-0.0), BYTES(NULL, 0), NONE,       FLOAT(0.0) };
    static const hkt_value absent[] = { INT(2), STRING(""), STRING("ab"), BYTES("b", 1),
                                        BOOL(false) };
    hkt_shareable_list *list = must_list(values, 12);
    const size_t index[] = { 0, 1, 2, 3, 0, 5, 6, 3, 8, 9, 6, 8 },
                 count[] = { 2, 1, 1, 2, 2, 1, 2, 2, 2, 1, 2, 2 };
    for (size_t i = 0; i < 12; i++) {
        CHECK_EQ(hkt_shareable_list_index(list, &values[i]), index[i]);
        CHECK_EQ(hkt_shareable_list_count(list, &values[i]), count[i]);
    }
    for (size_t i = 0; i < sizeof absent / sizeof *absent; i++) {
        CHECK_EQ(hkt_shareable_list_index(list, &absent[i]), -ENOENT);
        CHECK_EQ(hkt_shareable_list_count(list, &absent[i]), 0);
    }
    hkt_shareable_list_destroy(list);
    check_finalized();
}

TEST(what_is_no_value_is_refused)
{
    static const hkt_value wrong[] = {
        { .kind = (hkt_value_kind)6 }, { .kind = (hkt_value_kind)77 }, STRING(NULL), BYTES(NULL, 1)
    };
    static const hkt_value huge = BYTES("x", SIZE_MAX / 2);
    hkt_shareable_list *list = must_list(all, ALL), *none = NULL;
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        CHECK_EQ(hkt_shareable_list_create(&none, NULL, &wrong[i], 1), -EINVAL);
        CHECK_EQ(hkt_shareable_list_set(list, 0, &wrong[i]), -EINVAL);
        CHECK_EQ(hkt_shareable_list_index(list, &wrong[i]), -ENOENT);
    }
    CHECK_EQ(hkt_shareable_list_create(&none, NULL, &huge, 1), -ENOMEM);
    CHECK_EQ(hkt_shareable_list_set(list, 0, &huge), -EMSGSIZE);
    CHECK_EQ(hkt_shareable_list_create(&none, name_of(list), all, 1), -EEXIST);
    CHECK_EQ(hkt_shareable_list_create(&none, "no slash", all, 1), -EINVAL);
    CHECK_EQ(hkt_shareable_list_open(&none, "/test-no-such-list"), -ENOENT);
    CHECK(none == NULL);
    hkt_shareable_list_destroy(list);
    check_finalized();
}

TEST(a_segment_without_a_list_is_told)
{
    hkt_shared_memory *segment = NULL;
    hkt_shareable_list *list = NULL;
    for (size_t size = 1; size < 6000; size *= 17) {
        CHECK_EQ(hkt_shared_memory_create(&segment, NULL, size), 0);
        CHECK_EQ(hkt_shareable_list_open(&list, hkt_shared_memory_name(segment)), -EBADMSG);
        hkt_shared_memory_destroy(segment);
    }
    CHECK(list == NULL);
    check_finalized();
}

/* Bytes of the segment are changed at random: every call says something, and touches nothing else.
 * */
TEST_TIMEOUT(whatever_is_written_over_a_list_nothing_outside_of_it_is_touched, 60)
{
    struct test_random random = random_of(1);
    hkt_shareable_list *list = must_list(all, ALL);
    hkt_shared_memory *memory = hkt_shareable_list_memory(list);
    unsigned char *bytes = hkt_shared_memory_bytes(memory), good[4096];
    size_t size = hkt_shared_memory_size(memory);
    CHECK(size < sizeof good);
    memcpy(good, bytes, size);
    for (long i = 0; i < test_scaled(20000); i++) {
        hkt_shareable_list *other = NULL;
        hkt_value value;
        memcpy(bytes, good, size);
        for (int j = 0; j < 3; j++)
            bytes[random_below(&random, (uint32_t)size)] = (unsigned char)random_below(&random,
                                                                                       256);
        for (size_t index = 0; index < ALL; index++) {
            int err = hkt_shareable_list_get(list, index, &value);
            CHECK(err == 0 || err == -EBADMSG);
            if (err == 0 && value.kind == HKT_VALUE_STRING)
                CHECK(strlen(value.as.string) <= value.size);
            if (err == 0)
                CHECK_EQ(hkt_shareable_list_set(list, index, &value), 0);
        }
        int err = i % 50 ? 1 : hkt_shareable_list_open(&other, name_of(list));
        CHECK(err == 0 || err == 1 || err == -EBADMSG);
        if (err == 0)
            hkt_shareable_list_destroy(other);
    }
    hkt_shareable_list_destroy(list);
    check_finalized();
}

TEST(another_process_has_the_same_list)
{
    static const hkt_value answer = STRING("from the child");
    static const hkt_value values[] = { INT(6), STRING("0123456789012345") };
    hkt_shareable_list *list = must_list(values, 2);
    int status;
    pid_t child = fork();
    if (child == 0) {
        hkt_shareable_list *other;
        hkt_value value;
        if (hkt_shareable_list_open(&other, name_of(list)) < 0 ||
            hkt_shareable_list_get(other, 0, &value) < 0)
            _exit(1);
        value.as.integer *= 7;
        if (hkt_shareable_list_set(other, 0, &value) < 0 ||
            hkt_shareable_list_set(other, 1, &answer) < 0)
            _exit(2);
        hkt_shareable_list_destroy(other);
        _exit(0);
    }
    CHECK_EQ(waitpid(child, &status, 0), child);
    CHECK_EQ(status, 0);
    check_item(list, 0, &(hkt_value)INT(42));
    check_item(list, 1, &answer);
    hkt_shareable_list_destroy(list);
    check_finalized();
}
