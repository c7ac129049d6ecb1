/* SPDX-License-Identifier: MIT */
/* A library that a test loads at run time, with a job in it. MODULE_ANSWER makes other builds of it. */
#ifndef MODULE_ANSWER
#define MODULE_ANSWER 42
#endif

int module_answer(void *arg);

int module_answer(void *arg)
{
    return MODULE_ANSWER + *(const int *)arg;
}
