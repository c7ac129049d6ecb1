/* SPDX-License-Identifier: MIT */
/* A list of values of several kinds, in shared memory with a name: its length is fixed, and its
 * items may change. (multiprocessing.shared_memory.ShareableList) */
#include <hocket.h>
#include <stdio.h>
#include <string.h>

static int have_birthday(void *name)
{
    hkt_shareable_list *person;
    hkt_value age;
    int err = hkt_shareable_list_open(&person, name);
    if (err < 0)
        return err;
    err = hkt_shareable_list_get(person, 1, &age);
    age.as.integer++;
    if (err == 0)
        err = hkt_shareable_list_set(person, 1, &age);
    hkt_shareable_list_destroy(person);
    return err;
}

static void show(const hkt_shareable_list *person)
{
    hkt_value name, age, height;
    hkt_shareable_list_get(person, 0, &name);
    hkt_shareable_list_get(person, 1, &age);
    hkt_shareable_list_get(person, 2, &height);
    printf("%s, %d years, %g m\n", name.as.string, (int)age.as.integer, height.as.real);
}

int main(void)
{
    const hkt_value values[] = { { HKT_VALUE_STRING, 3, { .string = "Ada" } },
                                 { .kind = HKT_VALUE_INT, .as = { .integer = 36 } },
                                 { .kind = HKT_VALUE_FLOAT, .as = { .real = 1.65 } } };
    hkt_shareable_list *person;
    hkt_process *child;
    int err = hkt_shareable_list_create(&person, NULL, values, 3);
    if (err < 0)
        return hkt_report(err);
    show(person);
    const char *name = hkt_shared_memory_name(hkt_shareable_list_memory(person));
    err = hkt_process_spawn(&child, have_birthday, name, strlen(name) + 1, NULL);
    if (err == 0)
        err = hkt_process_finish(child);
    show(person);
    hkt_shareable_list_destroy(person);
    return hkt_report(err);
}
