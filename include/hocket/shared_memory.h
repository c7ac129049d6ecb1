/* SPDX-License-Identifier: MIT */
/* Named shared memory, for programs that are not one family; and lists in it. What a family shares
 * among itself is simpler: shared.h.
 *
 *     hkt_shared_memory *segment;
 *     int err = hkt_shared_memory_create(&segment, "/frames", 1 << 20);     one program owns it
 *     ...
 *     err = hkt_shared_memory_open(&segment, "/frames");                    others use it
 *     char *bytes = hkt_shared_memory_bytes(segment);
 *
 * The owner removes the name: when it says so, when it destroys its handle, when it exits. If it is
 * killed, the next program that creates or opens any segment by hocket removes what it left. Those
 * who use the memory keep it as long as they have it open; they never remove the name.
 *
 * "/frames" is the file /dev/shm/hocket.frames, by which prefix those are found that somebody left.
 * Its first page is hocket's, the memory follows from byte 4096 on (or whatever a page is): other
 * programs map that file. Python's SharedMemory removes it when the reader ends, unless it is told
 * track=False (3.13): mmap of the file does not. */
#ifndef HOCKET_SHARED_MEMORY_H
#define HOCKET_SHARED_MEMORY_H

#include <hocket/export.h>

HKT_BEGIN_DECLS

typedef struct hkt_shared_memory hkt_shared_memory;

/* `size` bytes, zero, readable and writable by this user alone (mode 0600). `name` is "/" and up to
 * 200 letters, digits, ".", "_", "-"; NULL: one that is free. 0; -EEXIST; -EINVAL for the name or a
 * size of 0; -ENOMEM: that much is not there; -ENOENT: the system has no /dev/shm; -EOPNOTSUPP:
 * what is there can make no file without a name. It is all had at once, so it is never missing
 * later. (SharedMemory(create=True)) */
HKT_API HKT_MUST_USE int hkt_shared_memory_create(hkt_shared_memory **segment, const char *name,
                                                  size_t size);
/* One that is there: 0; -ENOENT; -EACCES: it is another user's, or others may change it; -EBADMSG:
 * it is no segment of hocket's; -EINVAL for the name; -ENOMEM. (SharedMemory) */
HKT_API HKT_MUST_USE int hkt_shared_memory_open(hkt_shared_memory **segment, const char *name);

/* Its memory, aligned to a page; its size as it was asked for; its name. (buf, size, name) */
HKT_API void *hkt_shared_memory_bytes(const hkt_shared_memory *segment);
HKT_API size_t hkt_shared_memory_size(const hkt_shared_memory *segment);
HKT_API const char *hkt_shared_memory_name(const hkt_shared_memory *segment);
HKT_API bool hkt_shared_memory_is_owner(const hkt_shared_memory *segment);

/* Removes the name, now: 0; -EPERM for one who is not the owner; -ENOENT: it is removed. (unlink)
 * */
HKT_API int hkt_shared_memory_unlink(hkt_shared_memory *segment);
/* The name is left when the owner ends: it is nobody's now, and hocket removes it no more. 0,
 * -EPERM. */
HKT_API int hkt_shared_memory_disown(hkt_shared_memory *segment);
/* Unmaps it, and gives the handle back; the owner's removes the name. NULL is fine. (close) */
HKT_API void hkt_shared_memory_destroy(hkt_shared_memory *segment);
/* Removes the segments whose owners were killed: how many there were. */
HKT_API int hkt_shared_memory_sweep(void);

/* A list of values of several kinds in such a segment, of fixed length. An item keeps its room, in
 * bytes as of its first value, rounded up to 8. There is no lock. (ShareableList) */
typedef struct hkt_shareable_list hkt_shareable_list;

typedef enum hkt_value_kind {
    HKT_VALUE_NONE = 0,
    HKT_VALUE_BOOL = 1,
    HKT_VALUE_INT = 2,
    HKT_VALUE_FLOAT = 3,
    HKT_VALUE_STRING = 4, /* its zero takes room, and is not counted in `size` */
    HKT_VALUE_BYTES = 5,
} hkt_value_kind;

typedef struct hkt_value {
    hkt_value_kind kind;
    size_t size; /* of bytes; of a string as it is told, what is given ends with its zero */
    union {
        bool boolean;
        int64_t integer;
        double real;
        const char *string;
        const void *bytes;
    } as;
} hkt_value;

/* Makes a list of these in a new segment (name as above); or opens one: 0, errors as above,
 * -EBADMSG: no list is in it. */
HKT_API HKT_MUST_USE int hkt_shareable_list_create(hkt_shareable_list **list, const char *name,
                                                   const hkt_value values[], size_t count);
HKT_API HKT_MUST_USE int hkt_shareable_list_open(hkt_shareable_list **list, const char *name);
HKT_API void hkt_shareable_list_destroy(hkt_shareable_list *list);

/* The item at `index`, below the length: 0; -EINVAL beyond; -EBADMSG: somebody wrote there what is
 * no value. What get tells of a string or bytes points into the list. set: -EMSGSIZE: longer than
 * its room, which stays as it is; kinds may change within it. (list[i]) */
HKT_API int hkt_shareable_list_get(const hkt_shareable_list *list, size_t index, hkt_value *value);
HKT_API int hkt_shareable_list_set(hkt_shareable_list *list, size_t index, const hkt_value *value);

/* len(list); the first index of an equal item, of the same kind, or -ENOENT; how many are equal;
 * its segment, the list's own. (index, count, shm) */
HKT_API size_t hkt_shareable_list_length(const hkt_shareable_list *list);
HKT_API int hkt_shareable_list_index(const hkt_shareable_list *list, const hkt_value *value);
HKT_API size_t hkt_shareable_list_count(const hkt_shareable_list *list, const hkt_value *value);
HKT_API hkt_shared_memory *hkt_shareable_list_memory(const hkt_shareable_list *list);

HKT_END_DECLS
#endif
