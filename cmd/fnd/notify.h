/* notify.h - what the service manager is told (sd_notify(3)). */
#ifndef FND_NOTIFY_H
#define FND_NOTIFY_H

/* A datagram of lines to $NOTIFY_SOCKET; nothing where there is none. */
void fnd_notify(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

#endif
