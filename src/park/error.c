/* SPDX-License-Identifier: MIT */
/* Errors in words. A strand keeps the last sentence that was left with hkt_fail. */
#include <errno.h>
#include <hocket/error.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/report.h"
#include "park/strand.h"

static const struct {
    int err;
    const char *words;
} table[] = {
    { 0, "no error" },
    { -ETIMEDOUT, "the deadline passed (-ETIMEDOUT)" },
    { -ECANCELED, "cancelled (-ECANCELED)" },
    { -EAGAIN, "not now, and waiting was not wanted (-EAGAIN)" },
    { -ESHUTDOWN, "shut down: it takes or gives no more (-ESHUTDOWN)" },
    { -EPIPE, "broken: the other side has gone, or will not come (-EPIPE)" },
    { -EDEADLK, "the caller would wait for itself (-EDEADLK)" },
    { -EINVAL, "an argument is out of its range (-EINVAL)" },
    { -EALREADY, "it was done before, and is done once (-EALREADY)" },
    { -ENOMEM, "no memory (-ENOMEM)" },
    { -EBUSY, "in use: not now (-EBUSY)" },
    { -ENOENT, "there is no such name (-ENOENT)" },
    { -EEXIST, "the name is taken (-EEXIST)" },
    { -ENODATA, "the end came too early (-ENODATA)" },
    { -EMSGSIZE, "longer than the room for it (-EMSGSIZE)" },
    { -EBADMSG, "the bytes make no sense (-EBADMSG)" },
    { -EKEYREJECTED, "the certificate or key is not good (-EKEYREJECTED)" },
    { -EOPNOTSUPP, "this object cannot do that (-EOPNOTSUPP)" },
    { -EOWNERDEAD, "who held it or worked on it has died (-EOWNERDEAD)" },
    { -EPERM, "not permitted, or for the owner alone (-EPERM)" },
    { -ENOEXEC, "no program that runs here, or of another build (-ENOEXEC)" },
    { -EOVERFLOW, "a number would leave its range (-EOVERFLOW)" },
    { -EINTR, "ended by Ctrl-C (-EINTR)" },
    { -ENOSYS, "not in this build, or not on this system (-ENOSYS)" },
};

const char *hkt_strerror(int err)
{
    for (size_t i = 0; i < sizeof table / sizeof *table; i++)
        if (table[i].err == err)
            return table[i].words;
    struct hkti_strand *self = hkti_self();
    const char *words = err < 0 && err > -4096 ? strerrordesc_np(-err) : NULL;
    if (words)
        snprintf(self->words, sizeof self->words, "%s (-%s)", words, strerrorname_np(-err));
    else
        snprintf(self->words, sizeof self->words, "unknown error (%d)", err);
    return self->words;
}

int hkt_fail(int err, const char *format, ...)
{
    struct hkti_strand *self = hkti_self();
    int saved = errno;
    va_list values;
    if (err >= 0)
        hkti_misuse("hkt_fail: %d is no error: errors are negative errno values", err);
    va_start(values, format);
    vsnprintf(self->sentence, sizeof self->sentence, format, values);
    va_end(values);
    /* What came from outside shall not look like a line of its own. */
    for (char *at = self->sentence; *at; at++)
        if ((unsigned char)*at < ' ' || *at == 0x7f)
            *at = ' ';
    self->sentence_err = err;
    errno = saved;
    return err;
}

const char *hkt_sentence(int err)
{
    struct hkti_strand *self = hkti_self();
    return err < 0 && self->sentence_err == err ? self->sentence : hkt_strerror(err);
}

int hkt_report(int err)
{
    if (err >= 0)
        return 0;
    hkti_report_line("%s", hkt_sentence(err));
    return 1;
}
