/* SPDX-License-Identifier: MIT */
/* Parent and child talk over a pipe with two ends: questions go one way, answers the other, and
 * the child ends when nobody is there to ask. (multiprocessing.Pipe) */
#include <hocket.h>
#include <stdio.h>
#include <string.h>

static int answer(void *arg)
{
    const int *fd = arg;
    char word[50];
    hkt_connection *parent;
    int err = hkt_connection_adopt(&parent, *fd);
    if (err < 0)
        return err;
    int n;
    while ((n = hkt_connection_recv(parent, word, sizeof word)) >= 0) {
        int length = n;
        err = hkt_connection_send(parent, HKT_ITEM(length));
        if (err < 0)
            break;
    }
    hkt_connection_destroy(parent);
    return n == -ENODATA ? err : n; /* the parent has closed its end */
}

static int ask(hkt_connection *child, const char *word)
{
    int length = 0;
    int err = hkt_connection_send(child, word, strlen(word));
    if (err == 0)
        err = hkt_connection_recv(child, &length, sizeof length);
    printf("%s has %d letters\n", word, length);
    return err;
}

int main(void)
{
    hkt_connection *ours, *theirs;
    hkt_process *child = NULL;
    int err = hkt_pipe_create(&ours, &theirs, true);
    if (err < 0)
        return hkt_report(err);
    int fd = hkt_connection_fileno(theirs);
    hkt_process_options options = { .pass_fds = &fd, .pass_fd_count = 1 };
    err = hkt_process_spawn(&child, answer, HKT_ITEM(fd), &options);
    hkt_connection_destroy(theirs); /* it is the child's now */
    if (err == 0)
        err = ask(ours, "hocket");
    if (err >= 0)
        err = ask(ours, "concurrency");
    hkt_connection_destroy(ours); /* nobody is there to ask */
    int end = hkt_process_finish(child);
    return hkt_report(err < 0 ? err : end);
}
