/* fault.c - what ended an environment, first of all: its type, and the words of Lambda's, which are Go's. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/str.h"
#include "env/image.h"
#include "env/internal.h"

void fn_env_fault(struct fn_env *e, enum fn_env_fault_of of, const char *type, const char *message)
{
	if (e->fault.type[0])
		return;
	e->fault.of = of;
	snprintf(e->fault.type, sizeof(e->fault.type), "%s", type);
	snprintf(e->fault.message, sizeof(e->fault.message), "%s", message);
}

static const char *words_of(int code, char *buf, size_t size)
{
	snprintf(buf, size, "%s", strerror(code));
	buf[0] = (char)(buf[0] >= 'A' && buf[0] <= 'Z' ? buf[0] - 'A' + 'a' : buf[0]);
	return buf;
}

/* Is it the package's fault, not the platform's? Then it is so however often it is tried. */
static bool is_entry_fault(const struct fn_err *err)
{
	static const int codes[] = {ENOENT, EACCES, EPERM, ENOEXEC, ELIBBAD, ENOTDIR, EISDIR, ELOOP, EINVAL, ENAMETOOLONG, E2BIG};

	for (size_t i = 0; err->kind == FN_ERR_ENTRY && i < sizeof(codes) / sizeof(codes[0]); i++)
		if (err->code == codes[i])
			return true;
	return err->kind == FN_ERR_ENTRY_NONE;
}

bool fn_env_fault_entry(struct fn_env *e, const struct fn_err *err)
{
	const struct fn_runtime *rt = fn_runtimes_of(e->host->cfg.runtimes, e->version->function);
	char list[200] = "", why[64], message[256];

	if (e->version->function->image && err->kind == FN_ERR_DIRECTORY) {
		snprintf(message, sizeof(message), "fork/exec %.160s: %s", err->msg, words_of(err->code, why, sizeof(why)));
		fn_env_fault(e, FN_FAULT_FUNCTION, "Runtime.InvalidWorkingDir", message);
		fn_report_image(e, message);
		return true;
	}
	if (!is_entry_fault(err))
		return false;
	for (char **c = rt ? rt->exec_candidates : NULL; c && *c; c++)
		snprintf(list + strlen(list), sizeof(list) - strlen(list), "%s%s", list[0] ? " " : "", *c);
	if (err->kind == FN_ERR_ENTRY)
		snprintf(message, sizeof(message), "fork/exec %.160s: %s", err->msg, words_of(err->code, why, sizeof(why)));
	else
		snprintf(message, sizeof(message), "Couldn't find valid bootstrap(s): [%s]", e->version->function->image ? fn_env_image_entry(e->version->function, list, sizeof(list)) : list);
	fn_env_fault(e, FN_FAULT_FUNCTION, "Runtime.InvalidEntrypoint", message);
	if (e->version->function->image)
		fn_report_image(e, message);
	return true;
}

bool fn_env_fault_launch(struct fn_env *e, const struct fn_err *err)
{
	char message[256], why[64];

	if (err->kind != FN_ERR_EXTENSION)
		return false;
	if (err->code == E2BIG)
		snprintf(message, sizeof(message), "Extension limit (%u) reached", FN_EXTENSIONS_MAX);
	else
		snprintf(message, sizeof(message), "fork/exec /opt/extensions/%.160s: %s", err->msg, words_of(err->code, why, sizeof(why)));
	fn_env_fault(e, FN_FAULT_EXTENSION, "Extension.LaunchError", message);
	fn_report_extension(e, err->msg, fn_ext_state_name(FN_EXT_LAUNCH_ERROR), 0,
			    err->code == EACCES || err->code == EPERM ? "PermissionDenied" : err->code == E2BIG ? "TooManyExtensions" : "UnknownError");
	return true;
}

/* What it has reported before counts for more than how it has ended then. */
void fn_env_fault_process(struct fn_env *e, unsigned process)
{
	const struct fn_ext *x = fn_rt_extensions(e->rt);
	int status = e->processes[process].wait_status;
	const char *type = "Extension.Crash", *how;
	enum fn_env_fault_of of = FN_FAULT_EXTENSION;
	char words[64];

	for (unsigned i = 0; i < fn_ext_count(x); i++) {
		struct fn_ext_info info;

		fn_ext_info(x, i, &info);
		if (info.process == process && info.state == FN_EXT_INIT_ERROR) {
			type = "Extension.InitError";
			of = FN_FAULT_SAID_IN_INIT;
		} else if (info.process == process && info.state == FN_EXT_EXIT_ERROR) {
			type = "Extension.ExitError";
			of = FN_FAULT_SAID_AT_EXIT;
		}
	}
	how = fn_exit_words(status, words, sizeof(words));
	if (of != FN_FAULT_EXTENSION && e->fault.of == of) /* as it has reported, and now there are words for it */
		e->fault.type[0] = '\0';
	fn_env_fault(e, of, type, how ? how : "exit code 0");
}
