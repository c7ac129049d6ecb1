/* SPDX-License-Identifier: MIT */
/* Lists of values in a segment: a head, an entry for each item, and the rooms of the items, in
 * their order. Where a room lies and how big it is never changes, and each handle has its own copy
 * of that: so whatever another program writes into the segment, nothing is read or written outside
 * of a room. Kind and size of an item are in the segment, and are checked each time. */
#include <errno.h>
#include <hocket/error.h>
#include <string.h>

#include "base/memory.h"
#include "proc/shared_memory.h"

#define MAGIC "hocket list 001"

struct head {
    char magic[16];
    uint64_t count;
};

struct entry {
    uint64_t room;
    uint64_t size; /* of the value */
    uint32_t kind;
    uint32_t reserved;
};

struct room {
    size_t begin, size;
};

struct hkt_shareable_list {
    hkt_shared_memory *memory;
    char *bytes;
    struct entry *entries;
    size_t count;
    struct room *rooms;
};

/* The bytes of a value, and how many there are; NULL: it is none. */
static const void *bytes_of(const hkt_value *value, size_t *size)
{
    *size = value->size;
    switch (value->kind) {
    case HKT_VALUE_NONE:
        *size = 0;
        return value;
    case HKT_VALUE_BOOL:
        *size = sizeof value->as.boolean;
        return &value->as.boolean;
    case HKT_VALUE_INT:
        *size = sizeof value->as.integer;
        return &value->as.integer;
    case HKT_VALUE_FLOAT:
        *size = sizeof value->as.real;
        return &value->as.real;
    case HKT_VALUE_STRING:
        *size = value->as.string ? strlen(value->as.string) + 1 : 0;
        return value->as.string;
    case HKT_VALUE_BYTES:
        return value->as.bytes || value->size ? value->as.bytes : (const void *)"";
    }
    return NULL;
}

static size_t round_up(size_t size)
{
    return size < 8 ? 8 : (size + 7) & ~(size_t)7;
}

/* What is to be put into a new segment. */
struct contents {
    const hkt_value *values;
    size_t count;
};

static void put_value(struct entry *entry, char *room, const hkt_value *value)
{
    size_t size;
    const void *bytes = bytes_of(value, &size);
    if (size)
        memmove(room, bytes, size);
    entry->size = size;
    entry->kind = (uint32_t)value->kind;
}

static void fill(void *bytes, void *arg)
{
    const struct contents *contents = arg;
    struct head *head = bytes;
    struct entry *entries = (struct entry *)(head + 1);
    char *room = (char *)(entries + contents->count);
    memcpy(head->magic, MAGIC, sizeof MAGIC);
    head->count = contents->count;
    for (size_t i = 0; i < contents->count; i++) {
        size_t size;
        (void)bytes_of(&contents->values[i], &size);
        entries[i].room = round_up(size);
        put_value(&entries[i], room, &contents->values[i]);
        room += entries[i].room;
    }
}

/* How big a segment these need: 0; -EINVAL, -ENOMEM, with a sentence. */
static int size_of(const struct contents *contents, size_t *total)
{
    *total = sizeof(struct head);
    for (size_t i = 0; i < contents->count; i++) {
        size_t size;
        if (bytes_of(&contents->values[i], &size) == NULL)
            return hkt_fail(-EINVAL, "item %zu of the list is no value", i);
        if (size > SIZE_MAX / 4 || *total > SIZE_MAX / 4)
            return hkt_fail(-ENOMEM, "the list is too long");
        *total += sizeof(struct entry) + round_up(size);
    }
    return 0;
}

static void release(hkt_shareable_list *list)
{
    hkti_release(list->rooms, list->count * sizeof *list->rooms);
    hkt_shared_memory_destroy(list->memory);
    hkti_release(list, sizeof *list);
}

/* Where the rooms are; false: they are not all in the segment. */
static bool find_rooms(hkt_shareable_list *list, size_t size)
{
    size_t at = sizeof(struct head) + list->count * sizeof(struct entry);
    for (size_t i = 0; i < list->count; i++) {
        uint64_t room = list->entries[i].room;
        if (room < 8 || room % 8 || at > size || room > size - at)
            return false;
        list->rooms[i] = (struct room){ at, (size_t)room };
        at += (size_t)room;
    }
    return true;
}

/* With its memory: 0; -EBADMSG, -ENOMEM. */
static int look_at(hkt_shareable_list *list)
{
    static const char wrong[] = "there is no list in the segment %.60s";
    size_t size = hkt_shared_memory_size(list->memory);
    const struct head *head = hkt_shared_memory_bytes(list->memory);
    const char *name = hkt_shared_memory_name(list->memory);
    if (size < sizeof *head || memcmp(head->magic, MAGIC, sizeof MAGIC) != 0 ||
        head->count > (size - sizeof *head) / sizeof(struct entry))
        return hkt_fail(-EBADMSG, wrong, name);
    size_t count = (size_t)head->count;
    list->bytes = hkt_shared_memory_bytes(list->memory);
    list->entries = (struct entry *)(void *)(list->bytes + sizeof *head);
    if (count == 0)
        return 0;
    list->rooms = hkti_allocate(count * sizeof *list->rooms);
    if (list->rooms == NULL)
        return -ENOMEM;
    list->count = count;
    return find_rooms(list, size) ? 0 : hkt_fail(-EBADMSG, wrong, name);
}

/* Makes the handle, of a list that is to be made (contents) or opened. */
static int begin(hkt_shareable_list **list, const char *name, struct contents *contents,
                 size_t size)
{
    hkt_shareable_list *made = hkti_allocate(sizeof *made);
    if (made == NULL)
        return -ENOMEM;
    int err = contents ? hkti_shared_memory_make(&made->memory, name, size, fill, contents)
                       : hkt_shared_memory_open(&made->memory, name);
    if (err == 0)
        err = look_at(made);
    if (err < 0)
        release(made);
    else
        *list = made;
    return err;
}

int hkt_shareable_list_create(hkt_shareable_list **list, const char *name, const hkt_value values[],
                              size_t count)
{
    struct contents contents = { values, count };
    size_t size;
    int err = size_of(&contents, &size);
    return err < 0 ? err : begin(list, name, &contents, size);
}

int hkt_shareable_list_open(hkt_shareable_list **list, const char *name)
{
    return begin(list, name, NULL, 0);
}

void hkt_shareable_list_destroy(hkt_shareable_list *list)
{
    if (list)
        release(list);
}

/* 0; -EBADMSG: what is written there is no value, or does not fit. */
static int read_value(const struct entry *entry, const char *bytes, size_t room, hkt_value *value)
{
    hkt_value found = { .kind = (hkt_value_kind)entry->kind };
    size_t size = (size_t)entry->size, expected = size;
    if (size > room)
        return -EBADMSG;
    switch (found.kind) {
    case HKT_VALUE_NONE:
        expected = 0;
        break;
    case HKT_VALUE_BOOL:
        expected = sizeof found.as.boolean;
        found.as.boolean = *bytes != 0;
        break;
    case HKT_VALUE_INT:
        expected = sizeof found.as.integer;
        memcpy(&found.as.integer, bytes, sizeof found.as.integer);
        break;
    case HKT_VALUE_FLOAT:
        expected = sizeof found.as.real;
        memcpy(&found.as.real, bytes, sizeof found.as.real);
        break;
    case HKT_VALUE_STRING:
        if (size == 0 || bytes[size - 1] != 0)
            return -EBADMSG;
        found.size = size - 1;
        found.as.string = bytes;
        break;
    case HKT_VALUE_BYTES:
        found.size = size;
        found.as.bytes = bytes;
        break;
    default:
        return -EBADMSG;
    }
    if (size != expected)
        return -EBADMSG;
    *value = found;
    return 0;
}

int hkt_shareable_list_get(const hkt_shareable_list *list, size_t index, hkt_value *value)
{
    if (index >= list->count)
        return hkt_fail(-EINVAL, "the list has %zu items, there is no item %zu", list->count,
                        index);
    struct room room = list->rooms[index];
    return read_value(&list->entries[index], list->bytes + room.begin, room.size, value);
}

int hkt_shareable_list_set(hkt_shareable_list *list, size_t index, const hkt_value *value)
{
    size_t size;
    if (index >= list->count)
        return hkt_fail(-EINVAL, "the list has %zu items, there is no item %zu", list->count,
                        index);
    if (bytes_of(value, &size) == NULL)
        return hkt_fail(-EINVAL, "what is to be item %zu is no value", index);
    struct room room = list->rooms[index];
    if (size > room.size)
        return hkt_fail(-EMSGSIZE, "item %zu has room for %zu bytes, not for %zu", index, room.size,
                        size);
    put_value(&list->entries[index], list->bytes + room.begin, value);
    return 0;
}

size_t hkt_shareable_list_length(const hkt_shareable_list *list)
{
    return list->count;
}

/* `found` is of the list, where its string may change: its length is what was found. */
static bool is_equal(const hkt_value *found, const hkt_value *value)
{
    size_t size, found_size;
    const void *bytes = bytes_of(value, &size);
    if (found->kind != value->kind || bytes == NULL)
        return false;
    if (value->kind == HKT_VALUE_FLOAT)
        return found->as.real == value->as.real;
    const void *other = found->as.string;
    if (value->kind == HKT_VALUE_STRING)
        found_size = found->size + 1;
    else
        other = bytes_of(found, &found_size);
    return found_size == size && (size == 0 || memcmp(other, bytes, size) == 0);
}

/* The first equal item from `index` on; the length if there is none. */
static size_t find(const hkt_shareable_list *list, size_t index, const hkt_value *value)
{
    hkt_value found;
    for (; index < list->count; index++) {
        struct room room = list->rooms[index];
        if (read_value(&list->entries[index], list->bytes + room.begin, room.size, &found) == 0 &&
            is_equal(&found, value))
            break;
    }
    return index;
}

int hkt_shareable_list_index(const hkt_shareable_list *list, const hkt_value *value)
{
    size_t index = find(list, 0, value);
    return index < list->count && index <= INT32_MAX ? (int)index : -ENOENT;
}

size_t hkt_shareable_list_count(const hkt_shareable_list *list, const hkt_value *value)
{
    size_t count = 0;
    for (size_t i = find(list, 0, value); i < list->count; i = find(list, i + 1, value))
        count++;
    return count;
}

hkt_shared_memory *hkt_shareable_list_memory(const hkt_shareable_list *list)
{
    return list->memory;
}
