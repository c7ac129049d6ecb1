/* SPDX-License-Identifier: MIT */
/* A test program without tests: it must not pass. */
#include "test.h"
