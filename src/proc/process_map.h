/* SPDX-License-Identifier: MIT */
/* A part of a map: some neighbouring items, which a worker runs one after the other. It lies in the
 * arena; the items follow the codes.
 *
 * Who may touch what: all by the parent before it is posted and after it has ended; codes, sentences,
 * ended, begun by its worker meanwhile. An item below `ended` has its code and its bytes; a worker
 * that dies leaves `begun` at the item that it was in. (pairs: part) */
#ifndef HKTI_PROC_PROCESS_MAP_H
#define HKTI_PROC_PROCESS_MAP_H

#include "proc/process_pool.h"

enum { HKTI_PART_SENTENCES = 8 };

struct hkti_part {
    uint64_t size;
    void *items; /* in shared memory of the user's; NULL: they follow */
    uint32_t count;
    uint32_t keep_going;
    uint32_t begun, ended; /* how many; atomic */
    uint32_t sentence_count;
    uint32_t sentence_of[HKTI_PART_SENTENCES]; /* which item's */
    char sentences[HKTI_PART_SENTENCES][HKT_SENTENCE_MAX];
    int32_t codes[] __attribute__((aligned(64)));
};

static inline char *hkti_part_item(struct hkti_part *part, size_t index)
{
    size_t head = offsetof(struct hkti_part, codes) + part->count * sizeof part->codes[0];
    char *first = part->items ? part->items : (char *)part + (head + 63) / 64 * 64;
    return first + index * part->size;
}

/* A part has ended, one way or another. */
void hkti_map_part_ended(struct hkti_process_pool *pool, struct hkti_parcel *parcel,
                         const struct hkti_outcome *outcome);

/* The executor's operation. */
int hkti_process_pool_map(hkt_executor *executor, hkt_job *job, void *items, size_t count,
                          size_t size, const hkt_map_options *options);

#endif
