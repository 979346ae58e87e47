/* save.h - writes the image of this process (image.h) as a tar stream. */
#ifndef SAVE_H
#define SAVE_H

#include <stddef.h>
#include <sys/stat.h>
#include <sys/types.h>

#include "../libc.h"

#define SAVE_WHY_SIZE 256

enum save_result { SAVE_FAILED = -1, SAVE_DONE = 0, SAVE_RESTORED = 1 };

/*
 * Returns twice: SAVE_DONE here, SAVE_RESTORED in every process that was made from the image, with the new environment ("NAME=value" with a
 * NUL each; it lasts). SAVE_FAILED with the reason in why (SAVE_WHY_SIZE bytes): the process has what a copy could not have (threads, children, sockets ...), or
 * fd, which is to be a socket or pipe and is not in the image, has failed.
 * The stream: "image", then what lies in /tmp as "tmp/...".
 */
enum save_result save(int fd, char *why, const char **ret_env, size_t *ret_env_len);

/*
 * Calls fn in a child, whose memory is a copy, and notes which pages that touches: the image that is written next has them ready. fn is to do
 * what a process made from the image will do first, as far as nobody outside notices. One that fails, or hangs, leaves a start that is slower.
 */
void save_rehearse(void (*fn)(void *), void *arg);

/* Puts the words into why; -1. */
int save_fail(char *why, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* What the file holds, as far as it fits; -1 and errno. */
ssize_t save_read(const char *path, char *to, size_t size);

/* descriptors.c. Notes what is open (but out_fd), the directory and the umask, without using the heap; negative: why it cannot be kept. */
int descriptors_note(int out_fd, char *why);
int descriptors_again(char *why);

/* tmp.c */
struct tar {
	int fd;
	int failed; /* errno */
};
void tar_entry(struct tar *t, const char *name, char type, const struct stat *st, unsigned long long size); /* of st: mode and time */
void tar_write(struct tar *t, const void *data, size_t len);
void tar_pad(struct tar *t, unsigned long long size);
/* What lies in /tmp; negative: why it cannot be kept. Uses the heap. */
int tar_tmp(struct tar *t, char *why);
/* Back from /var/snapshot/tmp into /tmp. */
int tmp_restore(char *why);

#endif
