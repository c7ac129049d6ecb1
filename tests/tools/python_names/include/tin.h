/* A tiny header. hkt_tin_shake is only spoken of: HKT_API int hkt_tin_shake(void); */
#define HKT_TIN_MAX 7

typedef struct hkt_tin {
    int hkt_private;
} hkt_tin;

typedef enum hkt_tin_level {
    HKT_TIN_EMPTY = 0, /* nothing in it */
    HKT_TIN_FULL,
} hkt_tin_level;

typedef void hkt_tin_hook(hkt_tin *tin, int (*function)(void *));

HKT_API HKT_MUST_USE int hkt_tin_open(hkt_tin *tin, const char *with);
HKT_API void *hkt_tin_close(hkt_tin *tin);
