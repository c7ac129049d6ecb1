/* SPDX-License-Identifier: MIT */
/* What the two output streams can show. Each stream is asked for itself. */
#ifndef TERMINAL_H
#define TERMINAL_H

#include <stdbool.h>

enum terminal_color { TERMINAL_AUTO, TERMINAL_ALWAYS, TERMINAL_NEVER };

/* Shall `fd` be coloured? The option rules, then NO_COLOR, then CLICOLOR_FORCE and FORCE_COLOR,
 * then CLICOLOR=0, then whether it is a terminal that knows colours. */
bool terminal_has_color(int fd, enum terminal_color option);

/* Is `fd` a terminal where a line can be written over? */
bool terminal_can_rewrite(int fd);

/* Columns of `fd`: COLUMNS if it is set, the terminal's, or 80. */
int terminal_width(int fd);

/* Does the locale show UTF-8? */
bool terminal_is_utf8(void);

#endif
