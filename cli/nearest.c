/* SPDX-License-Identifier: MIT */
/* Near is counted in typing errors: a letter too many, too few, a wrong one, two exchanged (the
 * optimal string alignment distance). A word is near if less than half of it is wrong. */
#include "nearest.h"

#include <string.h>

enum { LONGEST = 32 };

static size_t least(size_t a, size_t b, size_t c)
{
    size_t d = a < b ? a : b;

    return d < c ? d : c;
}

/* Typing errors between a and b, both of at most LONGEST letters. */
static size_t distance(const char *a, const char *b)
{
    size_t d[LONGEST + 1][LONGEST + 1];
    size_t n = strlen(a), m = strlen(b);

    for (size_t i = 0; i <= n; i++)
        d[i][0] = i;
    for (size_t j = 0; j <= m; j++)
        d[0][j] = j;
    for (size_t i = 1; i <= n; i++) {
        for (size_t j = 1; j <= m; j++) {
            size_t wrong = a[i - 1] != b[j - 1];

            d[i][j] = least(d[i - 1][j] + 1, d[i][j - 1] + 1, d[i - 1][j - 1] + wrong);
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
                d[i][j] = least(d[i][j], d[i - 2][j - 2] + 1, d[i][j]);
        }
    }
    return d[n][m];
}

const char *nearest_word(const char *word, const char *const *known, size_t n)
{
    size_t dashes = strspn(word, "-"), letters = strlen(word) - dashes;
    const char *near = NULL;
    size_t best = (letters + 1) / 2; /* not near: this many errors */

    if (strlen(word) > LONGEST)
        return NULL;
    for (size_t i = 0; i < n; i++) {
        if (strlen(known[i]) > LONGEST)
            continue;
        size_t errors = distance(word, known[i]);

        if (errors < best) {
            best = errors;
            near = known[i];
        }
    }
    return near;
}
