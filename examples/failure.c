/* SPDX-License-Identifier: MIT */
/* A thread that fails leaves a sentence, as an exception has its words; whoever joins reads it, and
 * what the thread returned. (Thread.join, concurrent.futures.Future.exception) */
#include <errno.h>
#include <hocket.h>
#include <stdio.h>
#include <string.h>

static int open_book(void *arg)
{
    const char *path = arg;
    FILE *book = fopen(path, "r");
    if (book == NULL)
        return hkt_fail(-errno, "cannot open %s: %s", path, strerror(errno));
    fclose(book);
    return 0;
}

/* By default the words also go to standard error, when nobody may ask; here somebody does. */
static void say_nothing(hkt_thread *thread, int err, const char *sentence)
{
    (void)thread, (void)err, (void)sentence;
}

int main(void)
{
    static const char *const paths[] = { "/dev/null", "/no/such/book" };
    hkt_thread_set_excepthook(say_nothing);
    for (int i = 0; i < 2; i++) {
        hkt_thread *reader;
        int err = hkt_thread_spawn(&reader, open_book, (void *)paths[i], NULL);
        if (err < 0)
            return hkt_report(err);
        hkt_thread_join(reader);

        int result = 0;
        hkt_thread_result(reader, &result);
        if (result < 0)
            printf("It failed: %s.\n", hkt_thread_sentence(reader));
        else
            printf("%s is open to all.\n", paths[i]);
        hkt_thread_destroy(reader);
    }
    return 0;
}
