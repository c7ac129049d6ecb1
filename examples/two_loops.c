/* SPDX-License-Identifier: MIT */
/* Two loops, each on a thread of its own, with two queues between them: a
 * question goes over, an answer comes back. A queue does not ask whether a task
 * or a thread waits in it, nor of which loop. */
#include <hocket.h>
#include <stdio.h>

struct talk {
    hkt_queue *questions, *answers;
};

static int ask(void *arg) /* a task of the one loop */
{
    struct talk *talk = arg;
    int err = 0;
    for (int n = 1, square; n <= 4 && err == 0; n++) {
        err = hkt_queue_put(talk->questions, &n);
        if (err == 0)
            err = hkt_queue_get(talk->answers, &square);
        if (err == 0)
            printf("%d * %d = %d\n", n, n, square);
    }
    hkt_queue_shutdown(talk->questions, false);
    return err;
}

static int answer(void *arg) /* a task of the other one */
{
    struct talk *talk = arg;
    int n, err;
    while ((err = hkt_queue_get(talk->questions, &n)) == 0) {
        int square = n * n;
        if ((err = hkt_queue_put(talk->answers, &square)) < 0)
            return err;
    }
    return err == -ESHUTDOWN ? 0 : err;
}

static int run_answers(void *talk)
{
    return hkt_run(answer, talk);
}

int main(void)
{
    struct talk talk = { NULL, NULL };
    hkt_thread *other = NULL;
    int err = hkt_queue_create(&talk.questions, sizeof(int), NULL);
    if (err == 0)
        err = hkt_queue_create(&talk.answers, sizeof(int), NULL);
    if (err == 0)
        err = hkt_thread_spawn(&other, run_answers, &talk, NULL);
    if (err == 0)
        err = hkt_run(ask, &talk);
    hkt_thread_join(other);
    hkt_thread_destroy(other);
    hkt_queue_destroy(talk.questions);
    hkt_queue_destroy(talk.answers);
    return hkt_report(err);
}
