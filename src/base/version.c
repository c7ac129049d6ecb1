/* SPDX-License-Identifier: MIT */
/* The version, written once in the public header. */
#include <hocket/version.h>

#define TEXT(x) #x
#define NUMBER(x) TEXT(x)

const char *hkt_version(void)
{
    return NUMBER(HKT_VERSION_MAJOR) "." NUMBER(HKT_VERSION_MINOR) "." NUMBER(HKT_VERSION_PATCH);
}

unsigned hkt_version_number(void)
{
    return HKT_VERSION_NUMBER;
}
