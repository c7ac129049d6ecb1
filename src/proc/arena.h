/* SPDX-License-Identifier: MIT */
/* The family arena: one mapping, at one address in every process of the family, of one sparse memfd.
 *
 * The first process that needs it makes it, the others get its fd (start.h). It begins with the header
 * below, the table of modules (identity.h) and the family's (family.h); then come a word and bits for
 * each span of 64 KiB, and the spans. The heap (heap.c) is made of words that are changed by one
 * compare-and-swap each, so that who is killed leaves no half of a change: a span's word says what it
 * is, an object's bit that it is allocated. There are no lists and no locks in it. Memory is had by
 * fallocate before it is touched, so that a full system is -ENOMEM and not SIGBUS.
 *
 * Who may touch what: the header is written by who makes it, but for `top` and `low`, which are
 * heap.c's; `modules` by identity.c; all else by anybody, atomically. */
#ifndef HKTI_PROC_ARENA_H
#define HKTI_PROC_ARENA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Legal, and free, under gcc's and clang's sanitizers and valgrind. */
#define HKTI_ARENA_BASE ((uintptr_t)0x551000000000)
#define HKTI_ARENA_MAX ((size_t)256 << 30)
#define HKTI_ARENA_MIN ((size_t)64 << 20)
#define HKTI_SPAN ((size_t)64 << 10)

/* Bytes of the table of modules that have memory from the beginning. */
#define HKTI_ARENA_MODULES ((size_t)64 << 10)

struct hkti_family;
struct hkti_modules;

struct hkti_arena {
    uint64_t magic;
    uint64_t size;
    uint32_t spans;       /* how many there can be */
    uint32_t top;         /* those from here on have never been used, and have no words yet */
    uint32_t low;         /* below it no span is free: a guess */
    uint64_t words, bits; /* where they begin, in bytes from the arena's beginning */
    uint64_t first;       /* likewise: the first span */
};

/* Makes it, unless it is there: 0; -ENOMEM and other errors, with a sentence. From any strand. */
int hkti_arena_open(void);
/* In a child, before anything else: maps the one that this fd is of, which is the arena's from then
 * on, close-on-exec. */
int hkti_arena_attach(int fd);
bool hkti_arena_is_open(void);
/* Its fd, close-on-exec; to be passed to children. */
int hkti_arena_fd(void);

/* Of an open arena. */
static inline struct hkti_arena *hkti_arena(void)
{
    return (struct hkti_arena *)HKTI_ARENA_BASE;
}
/* The memory of these bytes is there from now on: 0, -ENOMEM. Zero, unless they have been used. */
int hkti_arena_commit(const void *start, size_t size);
/* It is not there any more; what is touched or committed again is zero. */
void hkti_arena_drop(const void *start, size_t size);
struct hkti_family *hkti_arena_family(void);
struct hkti_modules *hkti_arena_modules(void);

/* As hkt_shared_alloc and hkt_shared_free; `zero`: it need not be. Without a sentence. What has bells
 * in it is freed by hkt_shared_free, or after hkti_stakes_forget. */
void *hkti_shared_allocate(size_t size, bool zero);
void hkti_shared_release(void *memory);

/* How big is what is allocated here? Its size as it was rounded up. */
size_t hkti_shared_size(const void *memory);

/* A process has died (family.c): spans that it was about to take are free again. */
void hkti_heap_forget(uint32_t token);
/* What this process remembers of the heap is of another arena. */
void hkti_heap_reset(void);

/* At hkt_finalize: unmaps it and closes its fd, unless another process of the family is alive, whose
 * it is then. False: something is allocated. */
bool hkti_arena_close(void);

#endif
