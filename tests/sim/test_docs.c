/* SPDX-License-Identifier: MIT */
/* The program of docs/simulation.md, and that it does what the page says. */
#include <errno.h>
#include <stdio.h>

#include "lab.h"

/* docs/simulation.md quotes from here */
#include <hocket.h>

struct account {
    hkt_lock lock;
    long balance;
};

static struct account rent, food;

static void transfer(struct account *from, struct account *to, long amount)
{
    hkt_lock_acquire(&from->lock);
    hkt_lock_acquire(&to->lock);
    from->balance -= amount;
    to->balance += amount;
    hkt_lock_release(&to->lock);
    hkt_lock_release(&from->lock);
}

static int pay_rent(void *arg)
{
    (void)arg;
    transfer(&food, &rent, 100);
    return 0;
}

static int buy_food(void *arg)
{
    (void)arg;
    transfer(&rent, &food, 30);
    return 0;
}

static int household(void *arg)
{
    hkt_thread *payer, *buyer;
    (void)arg;
    rent = food = (struct account){ .balance = 500 };
    if (hkt_thread_spawn(&payer, pay_rent, NULL, NULL) < 0)
        return -ENOMEM;
    if (hkt_thread_spawn(&buyer, buy_food, NULL, NULL) < 0)
        return -ENOMEM;
    hkt_thread_join(payer);
    hkt_thread_join(buyer);
    hkt_thread_destroy(payer);
    hkt_thread_destroy(buyer);
    return rent.balance + food.balance == 1000 ? 0 : -EIO;
}
/* to here */

static struct lab_report report;

TEST(the_page_tells_the_truth)
{
    hkt_simulate_result result;
    hkt_set_report_sink(lab_keep_report, &report);
    CHECK_EQ(hkt_simulate_many(NULL, household, NULL, &result), -EDEADLK);
    dprintf(1, "%s schedule %d\n", report.text, (int)result.schedules);
    CHECK(strstr(report.text, "deadlock: nobody can go on"));
    CHECK_EQ(hkt_simulate(result.failed_seed, household, NULL), -EDEADLK);
}
