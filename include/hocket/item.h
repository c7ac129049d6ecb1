/* SPDX-License-Identifier: MIT */
/* What is copied: arrays and items, with their sizes. A pointer does not compile. */
#ifndef HOCKET_ITEM_H
#define HOCKET_ITEM_H

#include <hocket/export.h>

/* An array, its count, and the size of an item: three arguments. What is not an array (a pointer)
 * does not compile. */
#if defined(__cplusplus)
template <typename T, size_t N> constexpr size_t hkt_array_count(T (&)[N])
{
    return N;
}
#define HKT_ARRAY(array) (array), hkt_array_count(array), sizeof((array)[0])
#else
#define HKT_ARRAY(array)                                                                           \
    (array),                                                                                       \
        sizeof(array) / sizeof((array)[0]) +                                                       \
            0 * sizeof(char[1 - 2 * __builtin_types_compatible_p(__typeof__(array),                \
                                                                 __typeof__(&(array)[0]))]),       \
        sizeof((array)[0])
#endif

/* One thing, its address and its size: two arguments. */
#if defined(__cplusplus)
template <typename T> struct hkt_item_is {
    static constexpr size_t size = sizeof(T);
};
template <typename T> struct hkt_item_is<T *>; /* a pointer: pass what it points to */
#define HKT_ITEM(item) (&(item)), hkt_item_is<decltype(item)>::size
#else
#define HKT_ITEM(item)                                                                             \
    (&(item)), sizeof(item) +                                                                      \
                   0 * sizeof(struct {                                                             \
                       _Static_assert(__builtin_classify_type(item) != 5 ||                        \
                                          !__builtin_types_compatible_p(                           \
                                              __typeof__(item), __typeof__((void)0, (item))),      \
                                      "HKT_ITEM takes what is to be copied, not a pointer to it"); \
                       int hkt_unused;                                                             \
                   })
#endif

#endif
