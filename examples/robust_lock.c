/* SPDX-License-Identifier: MIT */
/* Somebody is killed while he holds a lock, in the middle of moving money. Who takes the lock next
 * is told, puts things in order, and says so. (multiprocessing.Lock is never free again) */
#include <hocket.h>
#include <signal.h>
#include <stdio.h>

struct bank {
    hkt_shared_lock lock;
    long giver, taker, moving; /* moving: on its way from one to the other */
};

static int move(void *arg)
{
    struct bank *bank = arg;
    int err = hkt_shared_lock_acquire(&bank->lock);
    if (err < 0)
        return err;
    bank->moving = 30;
    bank->giver -= 30;
    raise(SIGKILL);
    bank->taker += 30;
    bank->moving = 0;
    hkt_shared_lock_release(&bank->lock);
    return 0;
}

int main(void)
{
    struct bank *bank = hkt_shared_alloc(sizeof *bank);
    if (bank == NULL)
        return hkt_report(-ENOMEM);
    bank->giver = 100;

    hkt_process *clerk;
    int err = hkt_process_spawn(&clerk, move, bank, 0, NULL);
    if (err < 0)
        return hkt_report(err);
    if (hkt_process_finish(clerk) == -EOWNERDEAD)
        puts("The clerk has died.");
    printf("giver %ld, taker %ld\n", bank->giver, bank->taker);

    err = hkt_shared_lock_acquire(&bank->lock);
    if (err == -EOWNERDEAD) { /* it is ours all the same */
        puts("He had the books open. We take back what he was about.");
        bank->giver += bank->moving;
        bank->moving = 0;
        hkt_shared_lock_consistent(&bank->lock);
    }
    printf("giver %ld, taker %ld\n", bank->giver, bank->taker);
    hkt_shared_lock_release(&bank->lock);
    hkt_shared_free(bank);
    return 0;
}
