/* SPDX-License-Identifier: MIT */
/* A mailbox with room for one letter: the postman waits while it is full, the reader while it is
 * empty. This is what a queue does inside. (threading.Condition: wait, notify) */
#include <hocket.h>
#include <stdio.h>

static struct {
    hkt_lock lock;
    hkt_condition emptied, filled;
    const char *letter; /* NULL: the box is empty */
} box;

static int post(const char *letter)
{
    int err = 0;
    hkt_lock_acquire(&box.lock);
    while (box.letter != NULL && err == 0)
        err = hkt_condition_wait(&box.emptied, &box.lock);
    if (err == 0) {
        box.letter = letter;
        hkt_condition_notify(&box.filled, 1);
    }
    hkt_lock_release(&box.lock);
    return err;
}

static int fetch(const char **letter)
{
    int err = 0;
    hkt_lock_acquire(&box.lock);
    while (box.letter == NULL && err == 0)
        err = hkt_condition_wait(&box.filled, &box.lock);
    if (err == 0) {
        *letter = box.letter;
        box.letter = NULL;
        hkt_condition_notify(&box.emptied, 1);
    }
    hkt_lock_release(&box.lock);
    return err;
}

static int postman(void *arg)
{
    int err = 0;
    for (const char **letter = arg; *letter != NULL && err == 0; letter++)
        err = post(*letter);
    return err;
}

int main(void)
{
    static const char *letters[] = { "Dear Bob,", "how do you do?", "Yours, Ann", NULL };
    int err = hkt_thread_spawn(NULL, postman, letters, NULL);
    const char *letter;
    for (int i = 0; i < 3 && err == 0; i++)
        if ((err = fetch(&letter)) == 0)
            puts(letter);
    hkt_join_all();
    return hkt_report(err);
}
