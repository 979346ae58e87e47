/* cgroup_probe.h - the part of os/cgroup.h that libcgroup does: shared by cgroup.c and cgroup_probe.c only. */
#ifndef FN_OS_CGROUP_PROBE_H
#define FN_OS_CGROUP_PROBE_H

#include "os/cgroup.h"

/* Makes the group `path` (without a leading '/') in the v1 hierarchy of `controller`; one that is there already is fine. */
int fn_cg_make_v1(const char *controller, const char *path, struct fn_err *err);

/* Whether what there is suffices; else err says what to do. */
int fn_cg_check(const struct fn_cg_probe *p, struct fn_err *err);
/* fn_cgroups_shown(): up to FN_CG_SHOWN_MAX of them. */
void fn_cg_show(const struct fn_cg_probe *p, struct fn_cg_shown *ret);

#endif
