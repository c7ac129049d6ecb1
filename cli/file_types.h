/* SPDX-License-Identifier: MIT */
/* Media types, by how a name ends. */
#ifndef FILE_TYPES_H
#define FILE_TYPES_H

/* "text/html; charset=utf-8"; "application/octet-stream" for what nobody knows. */
const char *file_type(const char *name);

#endif
