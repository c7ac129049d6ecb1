/* SPDX-License-Identifier: MIT */
/* A loop without tasks, as a toolkit would use it: calls for soon, calls for
 * later, and one whenever the pipe has something. The last one stops it.
 * (loop.call_soon, call_later, add_reader) */
#include <hocket.h>
#include <stdio.h>
#include <unistd.h>

static hkt_loop *loop;
static int ends[2];

static int say(void *words)
{
    puts(words);
    return 0;
}

static int write_letter(void *text)
{
    return write(ends[1], text, 5) < 0 ? -errno : 0;
}

static int hang_up(void *arg)
{
    (void)arg;
    return close(ends[1]);
}

static int read_letter(void *arg) /* whenever there is something to read */
{
    (void)arg;
    char text[16];
    ssize_t length = read(ends[0], text, sizeof text);
    if (length > 0)
        return printf("A letter: %.*s\n", (int)length, text);
    puts("They have hung up.");
    hkt_loop_remove_watcher(loop, ends[0], HKT_READABLE);
    hkt_loop_stop(loop);
    return length < 0 ? -errno : 0;
}

int main(void)
{
    int err = pipe(ends) < 0 ? -errno : hkt_loop_create(&loop, NULL);
    if (err < 0)
        return hkt_report(err);
    err = hkt_loop_add_watcher(loop, ends[0], HKT_READABLE, read_letter, NULL);
    if (err == 0)
        err = hkt_loop_call_later(loop, NULL, 0.4, hang_up, NULL);
    if (err == 0)
        err = hkt_loop_call_later(loop, NULL, 0.2, write_letter, "Hello");
    if (err == 0)
        err = hkt_loop_call_soon(loop, NULL, say, "The shop is open.");
    if (err == 0)
        err = hkt_loop_run_forever(loop);
    hkt_loop_destroy(loop);
    close(ends[0]);
    return hkt_report(err);
}
