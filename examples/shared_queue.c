/* SPDX-License-Identifier: MIT */
/* Two processes take numbers from one queue and put their squares into another.
 * (multiprocessing.Queue) */
#include <hocket.h>
#include <stdio.h>

struct queues { /* pointers into shared memory mean the same in all processes */
    hkt_shared_queue *numbers, *squares;
};

static int worker(void *arg)
{
    const struct queues *queues = arg;
    int number, err;
    while ((err = hkt_shared_queue_get(queues->numbers, &number, sizeof number)) >= 0) {
        int square = number * number;
        err = hkt_shared_queue_put(queues->squares, HKT_ITEM(square));
        if (err < 0)
            return err;
    }
    return err == -ESHUTDOWN ? 0 : err; /* no more numbers */
}

static int share_out(struct queues *queues)
{
    hkt_process *workers[2] = { NULL };
    int err = 0, square = 0, sum = 0;
    for (int i = 0; i < 2 && err == 0; i++)
        err = hkt_process_spawn(&workers[i], worker, HKT_ITEM(*queues), NULL);
    for (int number = 1; number <= 10 && err == 0; number++)
        err = hkt_shared_queue_put(queues->numbers, HKT_ITEM(number));
    hkt_shared_queue_shutdown(queues->numbers, false);
    for (int i = 0; i < 10 && err >= 0; i++) {
        err = hkt_shared_queue_get(queues->squares, &square, sizeof square);
        sum += square;
    }
    for (int i = 0; i < 2; i++) {
        int end = hkt_process_finish(workers[i]);
        err = err < 0 ? err : end;
    }
    printf("The squares of 1 to 10 add up to %d.\n", sum);
    return err;
}

int main(void)
{
    struct queues queues = { NULL, NULL };
    int err = hkt_shared_queue_create(&queues.numbers, NULL);
    if (err == 0)
        err = hkt_shared_queue_create(&queues.squares, NULL);
    if (err == 0)
        err = share_out(&queues);
    hkt_shared_queue_destroy(queues.numbers);
    hkt_shared_queue_destroy(queues.squares);
    return hkt_report(err);
}
