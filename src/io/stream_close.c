/* SPDX-License-Identifier: MIT */
/* Streams: how they end. Who closes in good order is a writer for that, behind the others. */
#include <errno.h>
#include <sys/socket.h>

#include "base/memory.h"
#include "base/report.h"
#include "io/stream.h"

/* Leave is taken by writing; others who write come first. */
static int take_leave(hkt_stream *stream)
{
    int err = hkti_stream_begin_write(stream);
    if (err < 0)
        return err == -ESHUTDOWN ? 0 : err;
    if (!stream->eof_sent)
        err = hkti_stream_finish(stream);
    if (err == 0 && stream->layer->discard && hkti_channel_enter_reader(&stream->channel) == 0) {
        stream->layer->discard(stream);
        hkti_channel_leave_reader(&stream->channel);
    }
    hkti_stream_end_write(stream);
    return err;
}

int hkt_stream_close(hkt_stream *stream)
{
    if (hkti_channel_is_closed(&stream->channel))
        return 0;
    bool keeps = hkti_load_relaxed(&stream->out_limit) > 0;
    bool speaks = hkti_load_relaxed(&stream->layer) != &hkti_stream_plain;
    int err = keeps || speaks ? take_leave(stream) : 0;
    (void)hkti_channel_close(&stream->channel);
    return err;
}

void hkt_stream_abort(hkt_stream *stream)
{
    struct linger reset = { .l_onoff = 1, .l_linger = 0 };
    if (hkti_channel_enter(&stream->channel) < 0)
        return;
    int saved = errno;
    if (stream->channel.kind == HKTI_CHANNEL_TCP && !stream->channel.borrowed)
        (void)setsockopt(stream->channel.fd, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
    errno = saved;
    (void)hkti_channel_close(&stream->channel);
    hkti_channel_leave(&stream->channel);
}

void hkt_stream_destroy(hkt_stream *stream)
{
    if (stream == NULL)
        return;
    (void)hkt_stream_close(stream);
    if (hkti_channel_is_used(&stream->channel))
        hkti_misuse("hkt_stream_destroy: somebody still reads or writes stream %p", (void *)stream);
    if (stream->layer->release)
        stream->layer->release(stream);
    hkti_release(stream->in.data, stream->in.room);
    hkti_release(stream->out.data, stream->out.room);
    hkti_release_lines(stream, sizeof *stream);
}
