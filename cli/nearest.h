/* SPDX-License-Identifier: MIT */
/* What was probably meant by a mistyped word. */
#ifndef NEAREST_H
#define NEAREST_H

#include <stddef.h>

/* The one of `n` known words that is nearest to `word`; NULL if none is near. */
const char *nearest_word(const char *word, const char *const *known, size_t n);

#endif
