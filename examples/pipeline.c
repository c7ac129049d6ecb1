/* SPDX-License-Identifier: MIT */
/* printf | sort | head: three programs, joined by tasks of ours, which carry the
 * bytes from one to the next. (asyncio.create_subprocess_exec) */
#include <hocket.h>
#include <stdio.h>

static char *argvs[][4] = {
    { "printf", "cherry\\nbanana\\ndate\\napple\\n" },
    { "sort" },
    { "head", "-n", "2" },
};
static const hkt_subprocess_options options[] = {
    { .output = HKT_REDIRECT_PIPE },
    { .input = HKT_REDIRECT_PIPE, .output = HKT_REDIRECT_PIPE },
    { .input = HKT_REDIRECT_PIPE }, /* and its output is ours */
};
static hkt_subprocess *children[3];

static int carry(void *arg) /* from a child to the next one */
{
    hkt_subprocess **from = arg;
    hkt_stream *output = hkt_subprocess_output(from[0]);
    hkt_stream *input = hkt_subprocess_input(from[1]);
    int err = hkt_stream_copy(output, input, NULL);
    hkt_stream_close(output); /* so neither of them waits for us */
    hkt_stream_close(input);
    return err == -EPIPE ? 0 : err; /* the next one has enough */
}

static int run_all(void *arg)
{
    (void)arg;
    int err = 0, code = 0;
    for (int i = 0; i < 3 && err == 0; i++)
        err = hkt_subprocess_exec(&children[i], argvs[i], &options[i]);
    if (err == 0)
        err = hkt_gather(carry, children, 2, sizeof children[0]);
    for (int i = 0; i < 3 && err == 0; i++) {
        err = hkt_subprocess_wait(children[i], &code);
        fprintf(stderr, "%s ended with %d\n", argvs[i][0], code);
    }
    return err;
}

int main(void)
{
    int err = hkt_run(run_all, NULL);
    for (int i = 0; i < 3; i++)
        hkt_subprocess_destroy(children[i]);
    return hkt_report(err);
}
