/* SPDX-License-Identifier: MIT */
/* The family: a table in the arena with a slot for each process, and what each is waiting at.
 *
 * A slot goes FREE, STARTING (by who starts the process), ALIVE (its number is known), DEAD (by who
 * has seen its end: bury, which names him), FREE, with a generation that counts up when it is taken. A token names a
 * slot and its generation, never 0: it is what locks and jobs know a process by. Who has a token of
 * the dead sees it by one look into the table.
 *
 * Deaths are seen by who can wait for them: the fork server of its children, the forker of his (both
 * in start.h). A process whose parent is killed with it is looked for by who waits for something of
 * its (hkti_family_look), by its number and the time of its start.
 *
 * To bury: the slot is marked DEAD, sequentially consistent; then each stake of the dead one is
 * undone by its kind, and every bell at which anybody of the family waits is rung, so that all look
 * again; then the slot is FREE. One process does it; if it dies meanwhile, who buries it goes on with
 * that. Who begins to wait writes down its stake, then looks at the slot of
 * whom it waits for, both sequentially consistent: so one of the two sees the other. (pairs: bury)
 *
 * Who may touch what: state by compare-and-swap; parent by who takes the slot, pid and start by him or
 * the process itself, which say the same; stakes by the slot's process, cleared by who buries it, and
 * held for a moment by who rings their bells (stake.c). */
#ifndef HKTI_PROC_FAMILY_H
#define HKTI_PROC_FAMILY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define HKTI_FAMILY_MAX 4096
/* A token: the slot's index in the lower 12 bits, its generation, from 1 on, in the 18 above; two bits
 * are left to who stores it. */
#define HKTI_TOKEN_BITS 30
#define HKTI_TOKEN_MASK ((UINT32_C(1) << HKTI_TOKEN_BITS) - 1)

struct hkti_bell;

/* The caller's token; the arena is opened and the process entered if need be: 0 without memory, with
 * a sentence. In the child of a raw fork a new one. Quick. */
uint32_t hkti_family_token(void);

/* A slot for a process about to be started, whose parent is `parent`; 0: the table is full. */
uint32_t hkti_family_reserve(uint32_t parent);
/* It has started. By who started it or by itself, or by both. */
void hkti_family_born(uint32_t token, int pid);
/* In the process itself, first thing: this is its token. */
void hkti_family_become(uint32_t token);

/* It has ended, or was not started: its number can be another's by now. Once or more. */
void hkti_family_bury(uint32_t token);

/* Has it ended, as far as the table says? Quick, and sequentially consistent. */
bool hkti_family_is_dead(uint32_t token);
/* The same, asking the system too; buries it then. */
bool hkti_family_look(uint32_t token);
/* Its number; 0: dead, or not started yet. */
int hkti_family_pid(uint32_t token);
/* The same as look, of a token of which the lower bits are known. */
bool hkti_family_is_gone(uint32_t part, unsigned bits);
#ifdef HKT_SIM
/* The next slot is the first free one: so each schedule of a simulation finds the same. */
void hkti_family_rewind(void);
#endif
/* For the end of the arena: is another process of the family alive? And: the caller is none of it any
 * more. */
bool hkti_family_others(void);
void hkti_family_leave(void);

/* What bury does to a stake of the dead. */
enum hkti_stake_kind {
    HKTI_STAKE_WAIT = 0,      /* one less sleeps at the bell */
    HKTI_STAKE_CONDITION = 1, /* and waits for the condition that begins with it */
    HKTI_STAKE_BARRIER = 2,   /* and the barrier that begins with it is broken */
};
/* In the files of those primitives: undoes it for one waiter that is dead. */
void hkti_shared_condition_forget(struct hkti_bell *bell);
void hkti_shared_barrier_forget(struct hkti_bell *bell);

/* Writes down that a strand of this process is about to wait at the bell: its place, -1 if there is
 * none left (then it must look again now and then), or the bell is not in the arena. And takes it
 * back. */
int hkti_stake_add(struct hkti_bell *bell, enum hkti_stake_kind kind);
void hkti_stake_remove(int place);
/* This memory is about to be freed: who died while it waited in it has no stake there any more. By who
 * frees what has bells in it, as hkt_shared_free does. */
void hkti_stakes_forget(const void *memory, size_t size);

#endif
