/* args.h - the descriptors that fn-events is started with. */
#ifndef FN_SERVICE_ARGS_H
#define FN_SERVICE_ARGS_H

enum fn_events_fd {
	FN_EVENTS_FD_LISTEN = 3, /* events.sock, for fnd */
	FN_EVENTS_FD_HANDOVER,   /* handover.sock, for fnd: connections of clients */
	FN_EVENTS_FD_STATE,      /* the state directory, of O_PATH: where fnd's socket is */
	FN_EVENTS_FD_CONFIG,     /* JSON: config_events.c */
	FN_EVENTS_FD_END
};
/* Its folder in the state directory, which is its user's alone. */
#define FN_EVENTS_FOLDER "events"

#endif
