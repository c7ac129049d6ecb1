/* SPDX-License-Identifier: MIT */
/* Where the family's records of processes are: so that those of a parent that was killed, which nobody
 * else knows, are given back. A record stands at the index of its process's slot in the family. Whoever
 * takes it out, by compare-and-swap, gives it back: its owner when it is done with it, or anybody when
 * the owner has died. An owner whose record was displaced, by the next process with that index, still
 * knows it; it is lost only if that owner is killed, too.
 *
 * A record that is looked at may be given back meanwhile: then it says nothing that counts, since it
 * is not in its place any more. */
#include "base/atomic.h"
#include "proc/arena.h"
#include "proc/start.h"

#include <hocket/shared.h>

static struct hkti_process_record **place_of(uint32_t token)
{
    return &hkti_arena_modules()->records[token & (HKTI_FAMILY_MAX - 1)];
}

static void give_back(struct hkti_process_record **place, struct hkti_process_record *record)
{
    /* pairs: records */
    if (hkti_cas_acq_rel(place, record, (struct hkti_process_record *)0))
        hkt_shared_free(record); /* who waited by its bell is dead, and perhaps not buried yet */
}

void hkti_records_enter(struct hkti_process_record *record)
{
    struct hkti_process_record **place = place_of(record->token);
    struct hkti_process_record *before = hkti_load_acquire(place); /* pairs: records */
    if (before && before != record && hkti_family_is_dead(hkti_load_relaxed(&before->parent)))
        give_back(place, before);
    hkti_store_release(place, record); /* pairs: records */
}

void hkti_records_take_out(struct hkti_process_record *record)
{
    /* pairs: records */
    (void)hkti_cas_acq_rel(place_of(record->token), record, (struct hkti_process_record *)0);
}

void hkti_records_leave(struct hkti_process_record *record)
{
    hkti_records_take_out(record);
    hkti_shared_release(record);
}

void hkti_records_sweep(uint32_t parent)
{
    for (uint32_t i = 0; i < HKTI_FAMILY_MAX; i++) {
        struct hkti_process_record **place = place_of(i);
        struct hkti_process_record *record = hkti_load_acquire(place); /* pairs: records */
        if (record == NULL)
            continue;
        uint32_t whose = hkti_load_relaxed(&record->parent);
        if (parent ? whose == parent : hkti_family_look(whose))
            give_back(place, record);
    }
}
