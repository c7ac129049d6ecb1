/* SPDX-License-Identifier: MIT */
/* A waiting room: the doctor sees the most urgent patient first, and of two with equal need the one
 * who came first. She opens when all are there. (queue.PriorityQueue) */
#include <hocket.h>
#include <stdio.h>

struct patient {
    const char *name, *trouble;
    int urgency; /* 1: at once */
    int number;  /* in the order of coming */
};

static hkt_queue *waiting_room;

static int compare(const void *a, const void *b)
{
    const struct patient *one = a, *other = b;
    if (one->urgency != other->urgency)
        return one->urgency < other->urgency ? -1 : 1;
    return one->number < other->number ? -1 : one->number > other->number;
}

static int doctor(void *arg)
{
    (void)arg;
    struct patient patient;
    while (hkt_queue_get(waiting_room, &patient) == 0)
        printf("%s, please! (%s)\n", patient.name, patient.trouble);
    return 0;
}

int main(void)
{
    static const struct patient patients[] = {
        { "Mr Byrd", "a cold", 3, 1 },         { "Mrs Lasso", "a broken arm", 2, 2 },
        { "Mr Tallis", "a sore thumb", 3, 3 }, { "Mr Machaut", "his heart", 1, 4 },
        { "Miss Dufay", "a deep cut", 2, 5 },
    };
    int err = hkt_priority_queue_create(&waiting_room, sizeof(*patients), compare, NULL);
    if (err < 0)
        return hkt_report(err);

    for (int i = 0; i < 5 && err == 0; i++)
        err = hkt_queue_put(waiting_room, &patients[i]);
    if (err == 0)
        err = hkt_thread_spawn(NULL, doctor, NULL, NULL);
    hkt_queue_shutdown(waiting_room, false); /* no more come in; those inside are seen */
    hkt_join_all();
    hkt_queue_destroy(waiting_room);
    return hkt_report(err);
}
