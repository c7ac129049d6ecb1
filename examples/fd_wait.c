/* SPDX-License-Identifier: MIT */
/* Waits for a pipe as for a lock or a queue: with a deadline, in the way of its caller. First
 * nobody writes, then a thread does, then the pipe ends. (selectors, loop.add_reader) */
#include <errno.h>
#include <hocket.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static int write_letter(void *arg)
{
    const int *out = arg;
    static const char *const lines[] = { "Dear pipe,\n", "this is all.\n", "Yours\n" };
    int err = 0;
    for (int i = 0; i < 3 && err == 0; i++)
        err = write(*out, lines[i], strlen(lines[i])) < 0 ? -errno : hkt_sleep(0.05);
    close(*out);
    return err;
}

static int read_letter(int in)
{
    char text[64];
    ssize_t got;
    do {
        int err = hkt_fd_wait(in, HKT_READABLE);
        if (err < 0)
            return err;
        got = read(in, text, sizeof(text));
        if (got < 0)
            return -errno;
        fwrite(text, 1, (size_t)got, stdout);
    } while (got > 0);
    puts("The pipe has ended.");
    return 0;
}

int main(void)
{
    static int ends[2];
    if (pipe(ends) < 0)
        return hkt_report(-errno);
    int err = hkt_fd_wait_until(ends[0], HKT_READABLE, hkt_after(0.1));
    if (err == -ETIMEDOUT) {
        puts("Nothing for a tenth of a second.");
        err = hkt_thread_spawn(NULL, write_letter, &ends[1], NULL);
    }
    if (err == 0)
        err = read_letter(ends[0]);
    hkt_join_all();
    close(ends[0]);
    return hkt_report(err);
}
