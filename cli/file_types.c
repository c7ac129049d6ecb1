/* SPDX-License-Identifier: MIT */
/* A table in the order of the endings, without regard to case. Text is taken to be UTF-8. */
#include "file_types.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

struct ending {
    const char *ending;
    const char *type;
};

#define TEXT(kind) "text/" kind "; charset=utf-8"

static const struct ending endings[] = {
    { "7z", "application/x-7z-compressed" },
    { "aac", "audio/aac" },
    { "apng", "image/apng" },
    { "avif", "image/avif" },
    { "bmp", "image/bmp" },
    { "bz2", "application/x-bzip2" },
    { "c", TEXT("plain") },
    { "cc", TEXT("plain") },
    { "cfg", TEXT("plain") },
    { "conf", TEXT("plain") },
    { "cpp", TEXT("plain") },
    { "css", TEXT("css") },
    { "csv", TEXT("csv") },
    { "diff", TEXT("plain") },
    { "epub", "application/epub+zip" },
    { "flac", "audio/flac" },
    { "gif", "image/gif" },
    { "go", TEXT("plain") },
    { "gz", "application/gzip" },
    { "h", TEXT("plain") },
    { "hpp", TEXT("plain") },
    { "htm", TEXT("html") },
    { "html", TEXT("html") },
    { "ico", "image/x-icon" },
    { "ics", TEXT("calendar") },
    { "ini", TEXT("plain") },
    { "java", TEXT("plain") },
    { "jpeg", "image/jpeg" },
    { "jpg", "image/jpeg" },
    { "js", TEXT("javascript") },
    { "json", "application/json" },
    { "jsonl", "application/jsonl" },
    { "jxl", "image/jxl" },
    { "log", TEXT("plain") },
    { "m4a", "audio/mp4" },
    { "map", "application/json" },
    { "md", TEXT("markdown") },
    { "mid", "audio/midi" },
    { "mjs", TEXT("javascript") },
    { "mkv", "video/x-matroska" },
    { "mov", "video/quicktime" },
    { "mp3", "audio/mpeg" },
    { "mp4", "video/mp4" },
    { "mpeg", "video/mpeg" },
    { "oga", "audio/ogg" },
    { "ogg", "audio/ogg" },
    { "ogv", "video/ogg" },
    { "opus", "audio/ogg" },
    { "otf", "font/otf" },
    { "patch", TEXT("plain") },
    { "pdf", "application/pdf" },
    { "png", "image/png" },
    { "ps", "application/postscript" },
    { "py", TEXT("plain") },
    { "rs", TEXT("plain") },
    { "rst", TEXT("plain") },
    { "rtf", "application/rtf" },
    { "sh", TEXT("plain") },
    { "svg", "image/svg+xml" },
    { "tar", "application/x-tar" },
    { "tgz", "application/gzip" },
    { "tif", "image/tiff" },
    { "tiff", "image/tiff" },
    { "toml", "application/toml" },
    { "ts", TEXT("plain") },
    { "ttf", "font/ttf" },
    { "txt", TEXT("plain") },
    { "wasm", "application/wasm" },
    { "wav", "audio/wav" },
    { "weba", "audio/webm" },
    { "webm", "video/webm" },
    { "webmanifest", "application/manifest+json" },
    { "webp", "image/webp" },
    { "woff", "font/woff" },
    { "woff2", "font/woff2" },
    { "xhtml", "application/xhtml+xml" },
    { "xml", "application/xml" },
    { "xz", "application/x-xz" },
    { "yaml", "application/yaml" },
    { "yml", "application/yaml" },
    { "zip", "application/zip" },
    { "zst", "application/zstd" },
};

static int by_ending(const void *ending, const void *entry)
{
    return strcasecmp(ending, ((const struct ending *)entry)->ending);
}

const char *file_type(const char *name)
{
    const char *slash = strrchr(name, '/');
    const char *dot = strrchr(slash ? slash : name, '.');
    const struct ending *found = NULL;

    if (dot)
        found = bsearch(dot + 1, endings, sizeof endings / sizeof endings[0], sizeof endings[0],
                        by_ending);
    return found ? found->type : "application/octet-stream";
}
