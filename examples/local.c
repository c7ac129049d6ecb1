/* SPDX-License-Identifier: MIT */
/* Each thread has a notebook of its own under one common name, made when it first writes into it,
 * and closed by a destructor when the thread ends. (threading.local) */
#include <errno.h>
#include <hocket.h>
#include <stdio.h>
#include <stdlib.h>

struct notebook {
    const char *owner;
    int notes;
};

static hkt_local *notebooks;

static void close_notebook(void *value)
{
    struct notebook *notebook = value;
    printf("%s's notebook is closed, with %d notes.\n", notebook->owner, notebook->notes);
    free(notebook);
}

static int note(const char *owner)
{
    struct notebook *notebook = hkt_local_get(notebooks);
    if (notebook == NULL) {
        notebook = calloc(1, sizeof(*notebook));
        if (notebook == NULL || hkt_local_set(notebooks, notebook) < 0) {
            free(notebook);
            return -ENOMEM;
        }
        notebook->owner = owner;
    }
    notebook->notes++;
    return 0;
}

static int study(void *name)
{
    const char *owner = name;
    int err = 0;
    for (int i = 0; owner[i] != '\0' && err == 0; i++)
        err = note(owner);
    return err;
}

int main(void)
{
    int err = hkt_local_create(&notebooks, close_notebook);
    if (err == 0)
        err = hkt_thread_spawn(NULL, study, "Ada", NULL);
    if (err == 0)
        err = hkt_thread_spawn(NULL, study, "Charles", NULL);
    hkt_join_all();
    hkt_local_destroy(notebooks);
    return hkt_report(err);
}
