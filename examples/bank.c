/* SPDX-License-Identifier: MIT */
/* Four clerks move money between ten accounts, 400 000 times, and not a coin is lost: a lock guards
 * each account, and whoever needs two takes the lower one first. (threading.Lock) */
#include <hocket.h>
#include <stdio.h>

enum { ACCOUNTS = 10, CLERKS = 4, TRANSFERS = 100000 };

static struct account {
    hkt_lock lock;
    long balance;
} accounts[ACCOUNTS];

static void transfer(struct account *from, struct account *to, long amount)
{
    hkt_lock_acquire(from < to ? &from->lock : &to->lock);
    hkt_lock_acquire(from < to ? &to->lock : &from->lock);
    if (from->balance >= amount) {
        from->balance -= amount;
        to->balance += amount;
    }
    hkt_lock_release(&from->lock);
    hkt_lock_release(&to->lock);
}

static int clerk(void *arg)
{
    uint32_t dice = *(const uint32_t *)arg;
    for (int i = 0; i < TRANSFERS; i++) {
        dice = dice * 1664525 + 1013904223;
        unsigned from = (dice >> 24) % ACCOUNTS;
        unsigned step = 1 + (dice >> 16) % (ACCOUNTS - 1);
        transfer(&accounts[from], &accounts[(from + step) % ACCOUNTS], dice >> 8 & 0xff);
    }
    return 0;
}

static long total(void)
{
    long sum = 0;
    for (int i = 0; i < ACCOUNTS; i++)
        sum += accounts[i].balance;
    return sum;
}

int main(void)
{
    static const uint32_t seeds[CLERKS] = { 1, 22, 333, 4444 };
    for (int i = 0; i < ACCOUNTS; i++)
        accounts[i].balance = 1000;
    printf("In the morning: %ld\n", total());

    int err = 0;
    for (int i = 0; i < CLERKS && err == 0; i++)
        err = hkt_thread_spawn(NULL, clerk, (void *)&seeds[i], NULL);
    hkt_join_all();
    printf("In the evening: %ld\n", total());
    return hkt_report(err);
}
