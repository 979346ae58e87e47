/* module.c - _fnd_snapshot, CPython's way to save.h. Stable ABI: one file for every Python 3. */
#define PY_SSIZE_T_CLEAN
#define Py_LIMITED_API 0x03080000
#include <Python.h>
#include <string.h>
#include <sys/mman.h>

#include "image.h"
#include "save.h"

/* save(fd) -> None when the image is written; in a process made from it the environment, as bytes "NAME=value\0..."; RuntimeError: why not */
static PyObject *py_save(PyObject *self, PyObject *args)
{
	char why[SAVE_WHY_SIZE] = "";
	const char *env = NULL;
	size_t len = 0;
	PyObject *ret;
	int fd;

	(void)self;
	if (!PyArg_ParseTuple(args, "i", &fd))
		return NULL;
	switch (save(fd, why, &env, &len)) {
	case SAVE_DONE:
		Py_RETURN_NONE;
	case SAVE_RESTORED:
		ret = PyBytes_FromStringAndSize(env, (Py_ssize_t)len);
		(void)munmap((void *)0x10000, IMAGE_LOW - 0x10000); /* what restored us */
		return ret;
	case SAVE_FAILED:
		break;
	}
	ret = PyUnicode_DecodeUTF8(why, (Py_ssize_t)strlen(why), "replace"); /* with names of files in it, perhaps cut */
	if (ret)
		PyErr_SetObject(PyExc_RuntimeError, ret);
	Py_XDECREF(ret);
	return NULL;
}

static void call(void *arg)
{
	Py_XDECREF(PyObject_CallObject(arg, NULL));
	PyErr_Clear();
}

/* rehearse(function): see save_rehearse() */
static PyObject *py_rehearse(PyObject *self, PyObject *function)
{
	(void)self;
	save_rehearse(call, function);
	Py_RETURN_NONE;
}

static PyMethodDef methods[] = {{"save", py_save, METH_VARARGS, NULL}, {"rehearse", py_rehearse, METH_O, NULL}, {NULL, NULL, 0, NULL}};
static struct PyModuleDef module = {PyModuleDef_HEAD_INIT, "_fnd_snapshot", NULL, -1, methods, NULL, NULL, NULL, NULL};

PyMODINIT_FUNC PyInit__fnd_snapshot(void);
PyMODINIT_FUNC PyInit__fnd_snapshot(void) { return PyModule_Create(&module); }
