/* args.h - the descriptors that fn-gateway is started with. */
#ifndef FN_GATEWAY_ARGS_H
#define FN_GATEWAY_ARGS_H

enum fn_gw_fd {
	FN_GW_FD_PLAIN = 3, /* listening sockets, or nothing */
	FN_GW_FD_TLS,
	FN_GW_FD_STATE,     /* the state directory, of O_PATH: where fnd's socket is */
	FN_GW_FD_FILES,     /* of each certificate its file, then its key's */
};
#define FN_GW_CERTIFICATES_MAX 16

#endif
