/* SPDX-License-Identifier: MIT */
/* Errors. Every function that can fail returns an int: 0 or a useful count, else a negative errno
 * value. hocket never sets `errno`.
 *
 * What the values mean, everywhere in hocket (and the exception that Python raises there):
 *
 *   -ETIMEDOUT      the deadline of this very wait passed        (TimeoutError)
 *   -ECANCELED      the scope around the caller has ended        (CancelledError)
 *   -EAGAIN         it would have to wait, and was told not to   (queue.Empty, queue.Full)
 *   -ESHUTDOWN      the object takes or gives no more            (queue.ShutDown)
 *   -EPIPE          the barrier is broken; the other side of a   (BrokenBarrierError,
 *                   stream or pipe has gone                       BrokenPipeError)
 *   -EDEADLK        the caller would wait for itself             (RuntimeError)
 *   -EINVAL         an argument is out of its range              (ValueError)
 *   -EALREADY       it was done before, and is done once         (RuntimeError)
 *   -ENOMEM         no memory
 *   -EBUSY          in use: not now
 *   -ENOENT         no such name: of a file, a program, a host   (FileNotFoundError, gaierror)
 *   -EEXIST         the name is taken                            (FileExistsError)
 *   -ENODATA        the end came before what was asked for       (EOFError, IncompleteReadError)
 *   -EMSGSIZE       longer than the room for it                  (LimitOverrunError)
 *   -EBADMSG        the bytes make no sense                      (SSLError)
 *   -EKEYREJECTED   a certificate or key is not good             (SSLCertVerificationError)
 *   -EOPNOTSUPP     this object cannot do that                   (UnsupportedOperation)
 *   -EOWNERDEAD     who held it died, and it is yours; who       (BrokenExecutor)
 *                   worked on it died: of a job, of a process
 *   -EPERM          not permitted, or for the owner alone        (PermissionError)
 *   -ENOEXEC        no program that runs here, or another build  (OSError)
 *   -EOVERFLOW      a number would leave its range               (OverflowError)
 *   -EINTR          a Ctrl-C ended it: of hkt_run alone          (KeyboardInterrupt)
 *   -ENOSYS         not in this build, or not on this system     (NotImplementedError)
 *
 * Misuse that would corrupt (releasing a lock that nobody holds) is not an error to return: it is
 * one sentence on the report sink, then abort(). */
#ifndef HOCKET_ERROR_H
#define HOCKET_ERROR_H

#include <errno.h>
#include <hocket/export.h>

HKT_BEGIN_DECLS

/* The longest sentence that hkt_fail keeps, with its final zero, in bytes. A longer one is cut. */
#define HKT_SENTENCE_MAX 120

/* Leaves a sentence beside an error: `return hkt_fail(-EIO, "cannot read %s", path);`. Keeps the
 * text for the calling thread and returns `err` as it is, which must be negative. The text is
 * copied, with a space in place of control characters; it stays until the next hkt_fail of this
 * thread, or a call that brings the sentence of another one's failure. Whoever joins the thread
 * can read it (hkt_thread_sentence). Never waits, no cancellation point. */
HKT_API int hkt_fail(int err, const char *format, ...) HKT_PRINTF(2, 3);

/* The sentence that the calling thread last left beside `err`; if its last one was for another
 * error or it left none, the general words of hkt_strerror. Valid until the next hkt_fail. */
HKT_API const char *hkt_sentence(int err);

/* The general words for a negative errno value, as "the deadline passed (-ETIMEDOUT)". A constant
 * string for the values listed above and for 0; for others, the words of the C library in a buffer
 * of the calling thread. */
HKT_API const char *hkt_strerror(int err);

/* Sends "hocket: <sentence>" for `err` to the report sink and returns 1, the exit status of a
 * program that failed: `return hkt_report(err);` at the end of main. Returns 0 and says nothing if
 * err >= 0. */
HKT_API int hkt_report(int err);

/* Where reports go: threads that failed, a giant lock that is never given back,
 * misuse before the abort. `sink` gets one line without its newline, is called by whichever thread
 * has something to say, perhaps by several at once, and must not call hocket. NULL, and at the
 * start: standard error. Set it before other threads run. */
typedef void hkt_report_sink(void *context, const char *line);
HKT_API void hkt_set_report_sink(hkt_report_sink *sink, void *context);

HKT_END_DECLS
#endif
