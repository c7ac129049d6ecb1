/* SPDX-License-Identifier: MIT */
/* A worker's ring, under all schedules: what its worker puts in comes out once, to whomever, the
 * first before the second; also where it is full, and where the indices run around. */
#include "crew.h"
#include "exec/future.h"
#include "exec/ring.h"

#define ITEMS (HKTI_RING_SIZE + 8)

static struct hkti_ring ring;
static int taken[ITEMS];
static hkt_future items[ITEMS];
static int put; /* how many */

static hkt_future *item(int i)
{
    return &items[i];
}

/* A ring with so many in it, from this index on. */
static void begin(uint32_t index, int count)
{
    memset(&ring, 0, sizeof ring);
    memset(taken, 0, sizeof taken);
    ring.head = index;
    ring.tail = index + (uint32_t)count;
    for (int i = 0; i < count; i++)
        ring.slots[(index + (uint32_t)i) % HKTI_RING_SIZE] = item(i);
    put = count;
}

/* Takes one that comes after `*last`; false if there is none. */
static int take(int *last)
{
    hkt_future *future = hkti_ring_take(&ring);
    if (future == NULL)
        return 0;
    int i = (int)(future - items);
    MUST(i > *last && i < ITEMS);
    taken[i]++;
    *last = i;
    return 1;
}

static int takes_three(void *arg)
{
    int last = -1, err = 0;
    (void)arg;
    for (int i = 0; i < 3 && err >= 0; i++)
        err = take(&last);
    return err < 0 ? err : 0;
}

/* The worker puts three in, and takes two between. */
static int works(void *arg)
{
    int last = -1, err = 0;
    (void)arg;
    for (int i = 0; i < 3 && err >= 0; i++) {
        put += hkti_ring_put(&ring, item(put));
        if (i > 0)
            err = take(&last);
    }
    return err < 0 ? err : 0;
}

/* Each that was put in was taken once, or is still there in its place. */
static int each_once(int err)
{
    if (err < 0)
        return err;
    uint32_t left = ring.tail - ring.head;
    MUST(left <= HKTI_RING_SIZE && hkti_ring_empty(&ring) == (left == 0));
    for (int i = 0; i < put; i++) {
        bool still = i >= put - (int)left;
        uint32_t place = (ring.head + (uint32_t)(i - (put - (int)left))) % HKTI_RING_SIZE;
        MUST(taken[i] == !still && (!still || ring.slots[place] == item(i)));
    }
    return 0;
}

static int nearly_empty(void *arg)
{
    (void)arg;
    begin(0, 0);
    return each_once(TOGETHER(works, takes_three, takes_three));
}

TEST_TIMEOUT(each_comes_out_once_and_in_order, 60)
{
    prove(nearly_empty);
}

static int nearly_full(void *arg)
{
    (void)arg;
    begin(0, HKTI_RING_SIZE - 1);
    int err = TOGETHER(works, takes_three);
    MUST(err < 0 ||
         put >= HKTI_RING_SIZE + 1); /* the first fits, the third after the second's take */
    return each_once(err);
}

TEST_TIMEOUT(a_full_ring_loses_nothing, 60)
{
    prove(nearly_full);
    prove_whole(nearly_full);
}

static int around(void *arg)
{
    (void)arg;
    begin(UINT32_MAX - 1, 1);
    return each_once(TOGETHER(works, takes_three, takes_three));
}

TEST_TIMEOUT(indices_run_around, 60)
{
    prove(around);
}

static int full_around(void *arg)
{
    (void)arg;
    begin(UINT32_MAX - HKTI_RING_SIZE, HKTI_RING_SIZE);
    return each_once(TOGETHER(works, takes_three));
}

TEST_TIMEOUT(a_full_ring_runs_around, 60)
{
    prove(full_around);
}
