/* SPDX-License-Identifier: MIT */
/* Lists a folder and what is below it, with sizes: the one that is given, or a
 * small one of its own. (os.walk) */
#include <hocket.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const char *const letters[] = { "letters", "letters/aunt.txt", "letters/bank.txt",
                                       "todo.txt" };

static int make_folder(void) /* all names are below the folder that we are in */
{
    int err = hkt_file_make_folder("letters", 0700);
    for (int i = 1; i < 4 && err == 0; i++)
        err = hkt_file_write_all(letters[i], letters[i], strlen(letters[i]), 0600);
    return err;
}

static int list(void *path)
{
    hkt_walk *walk = NULL;
    const hkt_walk_entry *entry;
    struct stat about;
    int err = hkt_walk_create(&walk, path, &(hkt_walk_options){ .sorted = true });
    while (err >= 0 && (err = hkt_walk_next(walk, &entry)) > 0) {
        printf("%*s%s", 2 * ((int)entry->depth - 1), "", entry->name);
        if (entry->kind == HKT_FILE_REGULAR && hkt_file_stat(entry->path, -1, false, &about) == 0)
            printf(" (%lld bytes)", (long long)about.st_size);
        puts(entry->kind == HKT_FILE_FOLDER ? "/" : "");
    }
    hkt_walk_destroy(walk);
    return err;
}

int main(int argc, char **argv)
{
    char folder[] = "/tmp/hocket-XXXXXX";
    if (argc > 1)
        return hkt_report(hkt_run(list, argv[1]));
    int err = mkdtemp(folder) == NULL || chdir(folder) < 0 ? -errno : make_folder();
    if (err == 0)
        err = hkt_run(list, ".");
    for (int i = 3; i >= 0; i--)
        remove(letters[i]);
    rmdir(folder);
    return hkt_report(err);
}
