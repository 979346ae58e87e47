/*
 * libc.h - strtol() and its kind, by their old names, for our own programs inside a sandbox. Built with the headers of glibc 2.38 or newer the calls would go to
 * functions that an image's older library does not have; they are built on the host, whatever its release, and loaded in the image.
 */
#ifndef FN_ROOTFS_LIBC_H
#define FN_ROOTFS_LIBC_H

long libc_strtol(const char *text, char **ret_end, int base) __asm__("strtol");
unsigned long long libc_strtoull(const char *text, char **ret_end, int base) __asm__("strtoull");
int libc_sscanf(const char *text, const char *format, ...) __asm__("sscanf") __attribute__((format(scanf, 2, 3)));

#endif
