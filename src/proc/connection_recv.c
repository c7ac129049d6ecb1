/* SPDX-License-Identifier: MIT */
/* Receiving messages: proc/connection.h. */
#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <string.h>
#include <sys/mman.h>

#include "base/memory.h"
#include "io/stream.h"
#include "proc/connection.h"

/* Blocks of more than this are mapped: what is not touched costs nothing, whatever the other end
 * says that it will send. Those that are only held ready are mapped earlier, since they are hardly
 * ever touched. */
#define HEAP_MAX ((size_t)1 << 20)
#define READY_MAX ((size_t)65536)
#define HUGE_PAGE ((size_t)2 << 20)
/* No message is longer: that is a number out of bytes that are something else. */
#define SENSE_MAX (UINT64_C(1) << 40)
#define LIMIT ((size_t)1 << 30)

/* What stands before a block that a user may give back. */
union origin {
    struct {
        size_t room, mapped; /* bytes of the mapping; 0: it is of the heap */
    } is;
    char room_for_alignment[64];
};

/* Big messages are read much faster into huge pages, where the system has them. */
static union origin *map(size_t size)
{
    union origin *origin = hkti_os_pages_map(size,
                                             size < HUGE_PAGE ? hkti_os_page_size() : HUGE_PAGE);
    int saved = errno;
    if (origin && size >= HUGE_PAGE)
        (void)madvise(origin, size, MADV_HUGEPAGE);
    errno = saved;
    return origin;
}

static int block_allocate(struct hkti_block *block, size_t room, size_t heap_max)
{
    size_t page = hkti_os_page_size(), whole = sizeof(union origin) + room;
    size_t mapped = room > heap_max ? (whole + page - 1) & ~(page - 1) : 0;
    union origin *origin = mapped ? map(mapped) : hkti_allocate(whole);
    if (origin == NULL)
        return -ENOMEM;
    origin->is.room = room;
    origin->is.mapped = mapped;
    *block = (struct hkti_block){ (char *)(origin + 1), room };
    return 0;
}

void hkti_block_release(struct hkti_block *block)
{
    if (block->data == NULL)
        return;
    union origin *origin = (union origin *)(void *)block->data - 1;
    if (origin->is.mapped)
        hkti_os_pages_unmap(origin, origin->is.mapped);
    else
        hkti_release(origin, sizeof *origin + block->room);
    *block = (struct hkti_block){ NULL, 0 };
}

void hkt_connection_free(void *message)
{
    if (message == NULL)
        return;
    struct hkti_block block = { message, ((union origin *)message - 1)->is.room };
    hkti_block_release(&block);
}

/* One try, and a wait if that is needed: how many bytes; 0: the end. An fd that comes at the
 * beginning of a message is -EBADMSG. */
static int take(hkt_connection *connection, void *data, size_t size, bool first)
{
    struct hkti_channel *channel = &connection->channel;
    for (;;) {
        int n = -EAGAIN;
        if (!hkti_load_relaxed(&channel->quiet[HKTI_IN]))
            n = first && connection->passes_fds ? hkti_connection_read_first(connection, data, size)
                                                : hkti_channel_read(channel, data, size);
        if (n > 0)
            hkti_stream_give_way();
        if (n == -ECONNRESET)
            return 0; /* it has gone, and had something to read */
        if (n != -EAGAIN)
            return n;
        int err = hkti_connection_await(connection, POLLIN);
        if (err < 0)
            return err;
    }
}

/* Up to `length` bytes of header: 0. */
static int read_header(hkt_connection *connection, uint8_t length)
{
    while (connection->header_got < length) {
        int n = take(connection, connection->header + connection->header_got,
                     (size_t)(length - connection->header_got), connection->header_got == 0);
        if (n < 0)
            return n;
        if (n == 0)
            return connection->header_got ? -EPIPE : -ENODATA;
        connection->header_got = (uint8_t)(connection->header_got + n);
    }
    return 0;
}

static uint64_t number(const unsigned char *bytes, int count)
{
    uint64_t value = 0;
    for (int i = 0; i < count; i++)
        value = value << 8 | bytes[i];
    return value;
}

/* The size of the message that is there, or comes: 0. */
static int read_size(hkt_connection *connection)
{
    if (connection->sized)
        return 0;
    if (connection->fd_came >= 0 || connection->senseless)
        return -EBADMSG;
    int err = read_header(connection, 4);
    if (err < 0)
        return err;
    uint64_t size = number(connection->header, 4);
    if (size == UINT32_MAX) {
        err = read_header(connection, 12);
        if (err < 0)
            return err;
        size = number(connection->header + 4, 8);
    } else if (size > INT32_MAX) {
        size = UINT64_MAX;
    }
    if (size > SENSE_MAX) {
        connection->senseless = true;
        return -EBADMSG;
    }
    connection->size = size;
    connection->got = 0;
    connection->sized = true;
    return 0;
}

/* The rest of the body, behind what is in `data` already: 0. */
static int read_body(hkt_connection *connection, char *data)
{
    while (connection->got < connection->size) {
        size_t rest = (size_t)(connection->size - connection->got);
        int n = take(connection, data + connection->got, rest, false);
        if (n <= 0)
            return n < 0 ? n : -EPIPE;
        connection->got += (uint64_t)n;
    }
    connection->sized = false;
    connection->header_got = 0;
    return 0;
}

/* Room to keep the body in. A block that is not too big stays for the next messages. */
static int have_room(hkt_connection *connection)
{
    size_t size = (size_t)connection->size, room = 256;
    struct hkti_block *kept = &connection->kept;
    if (kept->room >= size)
        return 0; /* also when a part is in it */
    while (room < size && room < READY_MAX)
        room *= 2;
    hkti_block_release(kept);
    return block_allocate(kept, room < size ? size : room, READY_MAX);
}

/* With its size known: into the caller's memory. What was kept goes there first, and back if the
 * rest does not come. */
static int receive_into(hkt_connection *connection, char *data)
{
    struct hkti_block *kept = &connection->kept;
    size_t before = (size_t)connection->got;
    int err = have_room(connection);
    if (err < 0)
        return err;
    if (before > 0)
        memcpy(data, kept->data, before);
    err = read_body(connection, data);
    if (err < 0 && connection->got > before)
        memcpy(kept->data + before, data + before, (size_t)connection->got - before);
    if (err == 0 && kept->room > READY_MAX)
        hkti_block_release(kept);
    return err;
}

int hkt_connection_recv(hkt_connection *connection, void *message, size_t room)
{
    int result = hkti_connection_begin(connection, &connection->receiving, (hkt_deadline){ 0 });
    if (result < 0)
        return result;
    result = read_size(connection);
    uint64_t size = connection->size;
    if (result == 0 && (size > room || size > INT_MAX))
        result = -EMSGSIZE;
    if (result == 0)
        result = receive_into(connection, message);
    hkti_connection_end(connection, &connection->receiving);
    return result < 0 ? result : (int)size;
}

/* With its size known: into a block, of which a part may be there. */
static int receive_block(hkt_connection *connection, struct hkti_block *block)
{
    if (connection->got == 0) {
        hkti_block_release(&connection->kept);
        size_t room = connection->size ? (size_t)connection->size : 1;
        int err = block_allocate(&connection->kept, room, HEAP_MAX);
        if (err < 0)
            return err;
    }
    int err = read_body(connection, connection->kept.data);
    if (err < 0)
        return err;
    *block = connection->kept;
    connection->kept = (struct hkti_block){ NULL, 0 };
    return 0;
}

int hkt_connection_recv_alloc(hkt_connection *connection, void **message, size_t *size,
                              size_t limit)
{
    struct hkti_block block = { NULL, 0 };
    int err = hkti_connection_begin(connection, &connection->receiving, (hkt_deadline){ 0 });
    if (err < 0)
        return err;
    err = read_size(connection);
    uint64_t length = connection->size;
    if (err == 0 && length > (limit ? limit : LIMIT))
        err = -EMSGSIZE;
    if (err == 0)
        err = receive_block(connection, &block);
    hkti_connection_end(connection, &connection->receiving);
    if (err < 0)
        return err;
    *message = block.data;
    *size = (size_t)length;
    return 0;
}

int hkt_connection_next_size(hkt_connection *connection)
{
    int result = hkti_connection_begin(connection, &connection->receiving, (hkt_deadline){ 0 });
    if (result < 0)
        return result;
    result = read_size(connection);
    if (result == 0)
        result = connection->size > INT_MAX ? -EOVERFLOW : (int)connection->size;
    hkti_connection_end(connection, &connection->receiving);
    return result;
}
