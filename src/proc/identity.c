/* SPDX-License-Identifier: MIT */
/* Names of functions (identity.h). A module is found by dl_iterate_phdr, which works in programs that
 * are linked statically, too; there the program is the only one.
 *
 * Remembered are pairs of a key and what it stands for, in places that are written once: a writer
 * takes a free one (BUSY), writes the value, then the key (pairs: remembered); a reader who finds the
 * key may read the value. When all places are taken, nothing more is remembered. */
#include "proc/identity.h"

#include <dlfcn.h>
#include <elf.h>
#include <errno.h>
#include <hocket/error.h>
#include <limits.h>
#include <link.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/atomic.h"
#include "proc/arena.h"

#define OFFSET_BITS 48
#define PLACES 256 /* a power of two */
#define PROBES 8
#define BUSY ((uint64_t)1) /* no function, and no name, is 1 */

enum { FREE, TAKEN, READY };

/* Is there in every program but some static ones. */
#pragma weak dlsym
#pragma weak dlerror

struct place {
    uint64_t key, value;
};
static struct place by_function[PLACES], by_name[PLACES];

/* A module of this process, as it is looked for and found. */
struct sought {
    uintptr_t address;              /* the module that has it; 0: by what it is: */
    const struct hkti_module *like; /* its id, and if possible its path */
    uintptr_t base;
    bool found, program, same_path;
    size_t index;
    struct hkti_module module; /* what it is */
};

static size_t place_of(uint64_t key)
{
    return (size_t)((key * UINT64_C(0x9e3779b97f4a7c15)) >> 56) & (PLACES - 1);
}

static bool recall(struct place *places, uint64_t key, uint64_t *value)
{
    size_t at = place_of(key);
    for (size_t i = 0; i < PROBES; i++) {
        struct place *place = &places[(at + i) & (PLACES - 1)];
        uint64_t there = hkti_load_acquire(&place->key); /* pairs: remembered */
        if (there == key) {
            *value = place->value;
            return true;
        }
        if (there == 0)
            return false;
    }
    return false;
}

static void remember(struct place *places, uint64_t key, uint64_t value)
{
    size_t at = place_of(key);
    for (size_t i = 0; i < PROBES; i++) {
        struct place *place = &places[(at + i) & (PLACES - 1)];
        if (!hkti_cas_relaxed(&place->key, 0, BUSY))
            continue;
        place->value = value;
        hkti_store_release(&place->key, key); /* pairs: remembered */
        return;
    }
}

void hkti_function_forget(void)
{
    memset(by_function, 0, sizeof by_function);
    memset(by_name, 0, sizeof by_name);
}

/* What a module is. */

/* Two lanes of a multiplicative hash: not against forgers, who could as well run what they like. */
static void hash(const unsigned char *data, size_t size, uint64_t lanes[2])
{
    for (size_t i = 0; i < size; i += 8) {
        uint64_t word = 0;
        memcpy(&word, data + i, size - i < 8 ? size - i : 8);
        lanes[0] = (lanes[0] ^ word) * UINT64_C(0x9e3779b97f4a7c15);
        lanes[0] ^= lanes[0] >> 29;
        lanes[1] = (lanes[1] + word) * UINT64_C(0xc2b2ae3d27d4eb4f);
        lanes[1] ^= lanes[1] >> 31;
    }
}

static bool take_note(const unsigned char *notes, size_t size, size_t alignment,
                      struct hkti_module *module)
{
    while (size >= sizeof(ElfW(Nhdr))) {
        ElfW(Nhdr) note;
        memcpy(&note, notes, sizeof note);
        size_t name = (note.n_namesz + alignment - 1) & ~(alignment - 1);
        size_t whole = sizeof note + name + ((note.n_descsz + alignment - 1) & ~(alignment - 1));
        const unsigned char *text = notes + sizeof note;
        if (note.n_type == NT_GNU_BUILD_ID && note.n_namesz == 4 && memcmp(text, "GNU", 4) == 0 &&
            note.n_descsz > 0 && sizeof note + name + note.n_descsz <= size) {
            module->id_size = note.n_descsz < HKTI_BUILD_ID_MAX ? (uint16_t)note.n_descsz
                                                                : HKTI_BUILD_ID_MAX;
            memcpy(module->id, text + name, module->id_size);
            return true;
        }
        if (whole > size)
            break;
        notes += whole;
        size -= whole;
    }
    return false;
}

static const unsigned char *memory_of(const struct dl_phdr_info *info, const ElfW(Phdr) * part)
{
    return (const unsigned char *)(info->dlpi_addr + part->p_vaddr);
}

static void identify(const struct dl_phdr_info *info, struct hkti_module *module)
{
    uint64_t lanes[2] = { 1, 2 };
    for (size_t i = 0; i < info->dlpi_phnum; i++) {
        const ElfW(Phdr) *part = &info->dlpi_phdr[i];
        if (part->p_type == PT_NOTE &&
            take_note(memory_of(info, part), part->p_filesz, part->p_align == 8 ? 8 : 4, module))
            return;
    }
    for (size_t i = 0; i < info->dlpi_phnum; i++) {
        const ElfW(Phdr) *part = &info->dlpi_phdr[i];
        if (part->p_type == PT_LOAD && (part->p_flags & (PF_X | PF_W)) == PF_X)
            hash(memory_of(info, part), part->p_filesz, lanes);
    }
    module->id_size = sizeof lanes;
    memcpy(module->id, lanes, sizeof lanes);
}

static bool same_id(const struct hkti_module *a, const struct hkti_module *b)
{
    return a->id_size == b->id_size && memcmp(a->id, b->id, a->id_size) == 0;
}

/* The file that is mapped at this address, as the system names it: a library's own name may be
 * relative to a folder that was left. */
static bool mapped_file(uintptr_t address, char *path, size_t size)
{
    char line[PATH_MAX + 128];
    bool found = false;
    FILE *maps = fopen("/proc/self/maps", "re");
    while (maps && !found && fgets(line, sizeof line, maps)) {
        unsigned long from, to;
        const char *name = strchr(line, '/');
        if (name && sscanf(line, "%lx-%lx", &from, &to) == 2 && address >= from && address < to)
            found = snprintf(path, size, "%.*s", (int)strcspn(name, "\n"), name) < (int)size;
    }
    if (maps)
        (void)fclose(maps);
    return found;
}

/* dl_iterate_phdr begins with the program itself. */
static int look_at(struct dl_phdr_info *info, size_t size, void *arg)
{
    struct sought *sought = arg;
    bool program = sought->index++ == 0, inside = false;
    (void)size;
    for (size_t i = 0; sought->address && i < info->dlpi_phnum && !inside; i++) {
        const ElfW(Phdr) *part = &info->dlpi_phdr[i];
        inside = part->p_type == PT_LOAD &&
                 sought->address - (info->dlpi_addr + part->p_vaddr) < part->p_memsz;
    }
    if (sought->address && !inside)
        return 0;
    struct hkti_module module = { .program = program };
    identify(info, &module);
    const char *name = info->dlpi_name ? info->dlpi_name : "";
    bool same_path = sought->like && strcmp(name, sought->like->path) == 0;
    if (sought->like && (!same_id(&module, sought->like) || (sought->found && !same_path)))
        return 0;
    sought->found = true;
    sought->base = info->dlpi_addr;
    sought->program = program;
    sought->module = module;
    (void)snprintf(sought->module.path, sizeof module.path, "%s", name);
    return sought->address || same_path;
}

/* Names. */

/* The module's place in the table, or -1. It may be there twice, when two have entered it at once:
 * either is right. */
static int enter(const struct hkti_module *module)
{
    struct hkti_module *table = hkti_arena_modules()->module;
    for (int i = 0; i < HKTI_MODULES_MAX; i++) {
        struct hkti_module *entry = &table[i];
        uint32_t state = hkti_load_acquire(&entry->state); /* pairs: modules */
        if (state == READY && same_id(entry, module) && entry->program == module->program &&
            strcmp(entry->path, module->path) == 0)
            return i;
        if (state != FREE || !hkti_cas_relaxed(&entry->state, FREE, TAKEN))
            continue;
        entry->id_size = module->id_size;
        entry->program = module->program;
        memcpy(entry->id, module->id, sizeof entry->id);
        memcpy(entry->path, module->path, sizeof entry->path);
        hkti_store_release(&entry->state, READY); /* pairs: modules */
        return i;
    }
    return -1;
}

/* dlopen, asked for by its name, since the linker warns of it in every static program; such a one
 * knows no names, and has loaded nothing: NULL. */
typedef void *open_library(const char *path, int how);
static open_library *opener(void)
{
    void *found = dlsym ? dlsym(RTLD_DEFAULT, "dlopen") : NULL;
    open_library *function;
    memcpy(&function, &found, sizeof function);
    return function;
}

/* What it is called for others, and that it stays. */
static void settle_path(struct sought *sought)
{
    struct hkti_module *module = &sought->module;
    char path[sizeof module->path];
    if (sought->program) {
        ssize_t length = readlink("/proc/self/exe", path, sizeof path - 1);
        if (length < 0)
            length = 0;
        memcpy(module->path, path, (size_t)length);
        module->path[length] = '\0';
        return;
    }
    if (module->path[0] != '/' && mapped_file(sought->address, path, sizeof path))
        memcpy(module->path, path, strlen(path) + 1);
    open_library *open_it = opener();
    if (open_it)
        (void)open_it(module->path, RTLD_LAZY | RTLD_NOLOAD | RTLD_NODELETE);
}

static int encode(hkt_job *function, hkti_function_name *name)
{
    struct sought sought = { .address = (uintptr_t)function };
    if (function)
        (void)dl_iterate_phdr(look_at, &sought);
    if (!sought.found)
        return hkt_fail(-ESRCH, "the function at %p is of no program and no library",
                        (void *)sought.address);
    settle_path(&sought);
    int place = enter(&sought.module);
    if (place < 0)
        return hkt_fail(-ENOMEM, "the family's processes have more than %d libraries",
                        HKTI_MODULES_MAX);
    *name = (uint64_t)place << OFFSET_BITS | (sought.address - sought.base);
    remember(by_function, sought.address, *name);
    return 0;
}

int hkti_function_encode(hkt_job *function, hkti_function_name *name)
{
    if (__builtin_expect(function && recall(by_function, (uintptr_t)function, name), 1))
        return 0;
    int saved = errno;
    int err = hkti_arena_open();
    if (err == 0)
        err = encode(function, name);
    errno = saved;
    return err;
}

/* The last part of a path, for sentences. */
static const char *last_part(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

/* Not among our modules: it is another build of the program, or must be loaded. */
static int load(const struct hkti_module *module, struct sought *sought)
{
    if (module->program)
        return hkt_fail(-ENOEXEC,
                        "the file of \"%.40s\" is of another build than when it was started",
                        last_part(module->path));
    open_library *open_it = opener();
    void *library = open_it ? open_it(module->path, RTLD_NOW | RTLD_LOCAL) : NULL;
    if (library == NULL) {
        const char *reason = open_it && dlerror ? dlerror() : "the program is linked statically";
        return hkt_fail(-ENOEXEC, "a function's library: %.100s", reason ? reason : module->path);
    }
    (void)dl_iterate_phdr(look_at, sought);
    if (!sought->found)
        return hkt_fail(-ENOEXEC, "the library \"%.40s\" is of another build than the caller's",
                        last_part(module->path));
    return 0;
}

static int decode(hkti_function_name name, hkt_job **function)
{
    uint64_t place = name >> OFFSET_BITS;
    const struct hkti_module *table = hkti_arena_modules()->module;
    /* pairs: modules */
    if (name == 0 || place >= HKTI_MODULES_MAX || hkti_load_acquire(&table[place].state) != READY)
        return hkt_fail(-ENOEXEC, "%#llx is the name of no function", (unsigned long long)name);
    struct sought sought = { .like = &table[place] };
    (void)dl_iterate_phdr(look_at, &sought);
    if (!sought.found) {
        sought.index = 0;
        int err = load(&table[place], &sought);
        if (err < 0)
            return err;
    }
    uintptr_t address = sought.base + (uintptr_t)(name & ((UINT64_C(1) << OFFSET_BITS) - 1));
    remember(by_name, name, address);
    *function = (hkt_job *)address;
    return 0;
}

int hkti_function_decode(hkti_function_name name, hkt_job **function)
{
    uint64_t address;
    if (__builtin_expect(name > BUSY && recall(by_name, name, &address), 1)) {
        *function = (hkt_job *)(uintptr_t)address;
        return 0;
    }
    int saved = errno;
    int err = decode(name, function);
    errno = saved;
    return err;
}
