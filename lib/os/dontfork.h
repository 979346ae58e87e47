/*
 * dontfork.h - libraries that this process has and its children do not: their mappings are not copied by a fork (MADV_DONTFORK), which costs about
 * 2 us for each mapping and as much again when the child ends.
 *
 * Only for what no child calls before its execve, and where symbols are bound at start (-z now): a child that does call it dies of SIGSEGV.
 */
#ifndef FN_OS_DONTFORK_H
#define FN_OS_DONTFORK_H

/* names: how the libraries' file names begin, NULL at the end. How many mapped objects that were; those that are not there are none. */
unsigned fn_dontfork(const char *const *names);

#endif
