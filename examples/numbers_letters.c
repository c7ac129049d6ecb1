/* SPDX-License-Identifier: MIT */
/* Two threads share the terminal: one counts, the other says the alphabet. Their second lasts but a
 * tenth of one here. (threading.Thread, time.sleep) */
#include <hocket.h>
#include <stdio.h>

static const double second = 0.1;

static int print_numbers(void *arg)
{
    (void)arg;
    int err = 0;
    for (int i = 1; i <= 5 && err == 0; i++) {
        printf("Number: %d\n", i);
        err = hkt_sleep(second);
    }
    return err;
}

static int print_letters(void *arg)
{
    (void)arg;
    int err = 0;
    for (const char *letter = "ABCDE"; *letter != '\0' && err == 0; letter++) {
        printf("Letter: %c\n", *letter);
        err = hkt_sleep(second);
    }
    return err;
}

int main(void)
{
    hkt_thread *numbers, *letters;
    int err = hkt_thread_spawn(&numbers, print_numbers, NULL, NULL);
    if (err < 0)
        return hkt_report(err);
    err = hkt_thread_spawn(&letters, print_letters, NULL, NULL);
    if (err < 0)
        return hkt_report(err);

    hkt_thread_join(numbers);
    hkt_thread_join(letters);
    puts("Threads completed.");

    hkt_thread_destroy(numbers);
    hkt_thread_destroy(letters);
    return 0;
}
