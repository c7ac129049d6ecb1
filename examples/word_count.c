/* SPDX-License-Identifier: MIT */
/* Counts the words of the files that are named, as many at a time as there are processors, and a file
 * that cannot be read holds up no other. If none is named: of some headers of C, where it only tells
 * whether one thread alone comes to the same. (Executor.map) */
#include <ctype.h>
#include <errno.h>
#include <hocket.h>
#include <stdio.h>
#include <stdlib.h>

static int count(void *arg)
{
    char *const *path = arg;
    FILE *file = fopen(*path, "r");
    if (file == NULL)
        return hkt_fail(-errno, "cannot read %s", *path);
    int words = 0, before = ' ', c;
    for (; (c = getc(file)) != EOF; before = c)
        words += isspace(before) && !isspace(c);
    fclose(file);
    return words;
}

static void tell(char *path, int words)
{
    if (words < 0)
        printf("%s: %s\n", path, hkt_strerror(words));
    else
        printf("%s: %d words\n", path, words);
}

static void compare(char *path, int words)
{
    printf("%s: %s\n", path, words == count(&path) ? "the same" : "another number");
}

int main(int argc, char *argv[])
{
    char *headers[] = { "/usr/include/errno.h", "/usr/include/stdio.h", "/usr/include/stdlib.h",
                        "/usr/include/string.h" };
    char **paths = argc > 1 ? argv + 1 : headers;
    size_t n = argc > 1 ? (size_t)argc - 1 : sizeof headers / sizeof headers[0];
    int *codes = calloc(n, sizeof *codes); /* what each job returns */
    if (codes == NULL)
        return hkt_report(-ENOMEM);

    const hkt_map_options options = { .keep_going = true, .codes = codes };
    int err = hkt_map_with(NULL, count, paths, n, sizeof *paths, &options);
    for (size_t i = 0; i < n; i++)
        (argc > 1 ? tell : compare)(paths[i], codes[i]);
    free(codes);
    return hkt_report(err); /* the failure of the first that has one */
}
