/* SPDX-License-Identifier: MIT */
/* The program of docs/simulation.md, and that it does what the page says. */
#include <errno.h>

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

/* As the page says it should be: the locks in one order. */
static void transfer_in_order(struct account *from, struct account *to, long amount)
{
    struct account *first = from < to ? from : to;
    struct account *second = from < to ? to : from;
    hkt_lock_acquire(&first->lock);
    hkt_lock_acquire(&second->lock);
    from->balance -= amount;
    to->balance += amount;
    hkt_lock_release(&second->lock);
    hkt_lock_release(&first->lock);
}

static int pay_in_order(void *arg)
{
    (void)arg;
    transfer_in_order(&food, &rent, 100);
    return 0;
}

static int orderly_household(void *arg)
{
    hkt_thread *payer;
    (void)arg;
    rent = food = (struct account){ .balance = 500 };
    CHECK_EQ(hkt_thread_spawn(&payer, pay_in_order, NULL, NULL), 0);
    transfer_in_order(&rent, &food, 30);
    hkt_thread_join(payer);
    hkt_thread_destroy(payer);
    return rent.balance == 570 && food.balance == 430 ? 0 : -EIO;
}

static struct lab_report report;

TEST(the_page_tells_the_truth)
{
    hkt_simulate_result result;
    hkt_set_report_sink(lab_keep_report, &report);
    CHECK_EQ(hkt_simulate_many(NULL, household, NULL, &result), -EDEADLK);
    CHECK(strstr(report.text, "deadlock: nobody can go on"));
    CHECK(strstr(report.text, "thread 2 waits for lock"));
    CHECK(strstr(report.text, "thread 3 waits for lock"));
    CHECK_EQ(hkt_simulate(result.failed_seed, household, NULL), -EDEADLK);
    CHECK_EQ(lab_simulate(HKT_SIMULATE_EXHAUSTIVE, 0, household, NULL), -EDEADLK);
    CHECK_EQ(hkt_simulate_many(NULL, orderly_household, NULL, &result), 0);
    CHECK_EQ(result.schedules, 10000);
}
