/* SPDX-License-Identifier: MIT */
/* The customs of no-color.org and bixense.com/clicolors; an empty variable counts as not set. */
#include "terminal.h"

#include <langinfo.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/ioctl.h>
#include <unistd.h>

static bool is_set(const char *name)
{
    const char *value = getenv(name);

    return value && *value;
}

static bool is_on(const char *name)
{
    return is_set(name) && strcmp(getenv(name), "0") != 0;
}

static bool is_dumb(void)
{
    return !is_set("TERM") || strcmp(getenv("TERM"), "dumb") == 0;
}

bool terminal_has_color(int fd, enum terminal_color option)
{
    if (option != TERMINAL_AUTO)
        return option == TERMINAL_ALWAYS;
    if (is_set("NO_COLOR"))
        return false;
    if (is_on("CLICOLOR_FORCE") || is_on("FORCE_COLOR"))
        return true;
    if (is_set("CLICOLOR") && !is_on("CLICOLOR"))
        return false;
    return isatty(fd) && !is_dumb();
}

bool terminal_can_rewrite(int fd)
{
    return isatty(fd) && !is_dumb();
}

int terminal_width(int fd)
{
    int columns = is_set("COLUMNS") ? atoi(getenv("COLUMNS")) : 0;
    struct winsize size;

    if (columns > 0)
        return columns;
    if (ioctl(fd, TIOCGWINSZ, &size) == 0 && size.ws_col > 0)
        return size.ws_col;
    return 80;
}

bool terminal_is_utf8(void)
{
    return strcasecmp(nl_langinfo(CODESET), "UTF-8") == 0;
}
