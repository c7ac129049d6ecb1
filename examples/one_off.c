/* SPDX-License-Identifier: MIT */
/* A thread for one small thing, which nobody keeps a handle of; the program ends when it has ended.
 * (threading.Thread(target=lambda: print('Hello World')).start()) */
#include <hocket.h>
#include <stdio.h>

static int say(void *words)
{
    puts(words);
    return 0;
}

int main(void)
{
    int err = hkt_thread_spawn(NULL, say, "Hello World", NULL);
    if (err < 0)
        return hkt_report(err);
    return hkt_report(hkt_join_all());
}
