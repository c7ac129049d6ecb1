/* SPDX-License-Identifier: MIT */
/* Thread-local values: one name, another value in each thread, with a function that is called for
 * the value when its thread ends. (threading.local) */
#ifndef HOCKET_LOCAL_H
#define HOCKET_LOCAL_H

#include <hocket/export.h>

HKT_BEGIN_DECLS

typedef struct hkt_local hkt_local;

/* Makes a name without values, of which there may be 1024. `destructor`, unless NULL, gets each
 * value that is not NULL, in its own thread at that thread's end, up to four times if it sets
 * values again; that of main in hkt_finalize. 0 or -ENOMEM. */
HKT_API HKT_MUST_USE int hkt_local_create(hkt_local **local, void (*destructor)(void *));

/* Forgets the name; values that threads still have are dropped without their destructor. NULL is
 * fine. */
HKT_API void hkt_local_destroy(hkt_local *local);

/* The calling thread's value; NULL if it set none. To set it: 0 or -ENOMEM. */
HKT_API void *hkt_local_get(const hkt_local *local);
HKT_API int hkt_local_set(hkt_local *local, void *value);

HKT_END_DECLS
#endif
