"""From execve to the runtime's loop: the wrapper, a start ahead of the function, the module search path.

Whether a process was begun for its function or ahead of it, what the function finds is the same.
"""
import _imp
import _warnings
import gc
import marshal
import os
import sys
from _frozen_importlib import ModuleSpec, _init_module_attrs
from _frozen_importlib_external import PathFinder, SourceFileLoader

RUNTIME_DIR = "/var/runtime"
TASK_ROOT = "/var/task"
LANG = "/var/lang/lib/python%d.%d" % sys.version_info[:2]
OPT = ("/opt/python/lib/python%d.%d/site-packages" % sys.version_info[:2], "/opt/python")
PRELOADED = ("json",)  # what most handlers import
COMPILED_IN = frozenset(("array", "binascii", "cmath", "fcntl", "grp", "math", "pyexpat", "select", "spwd", "syslog", "unicodedata", "zlib"))  # by Debian, not by AWS


def exec_wrapper():
    """AWS_LAMBDA_EXEC_WRAPPER: a program that gets the runtime's command line, interpreter first and script last, and runs it."""
    wrapper = os.environ.get("AWS_LAMBDA_EXEC_WRAPPER")
    if not wrapper:
        return
    try:
        os.execv(wrapper, [wrapper, sys.executable, RUNTIME_DIR + "/bootstrap.py"])
    except OSError as e:
        print(f"{wrapper}: {e.strerror}", file=sys.stderr)
        sys.exit(126 if isinstance(e, PermissionError) else 127)


def runtime(modules=None):
    """awslambdaric.__main__. `modules`: what it needs, from one file (the recipe's "bundle"; what others import comes before them). They become what
    they would be from their own files, to which each belongs."""
    for name, (source, cached, directory, code) in modules.items() if modules else ():
        module = sys.modules.get(name)
        if module and name != __name__:  # somebody's sitecustomize has imported it
            continue
        spec = ModuleSpec(name, SourceFileLoader(name, source), origin=source)
        spec.cached, spec.has_location = cached, True
        if directory:
            spec.submodule_search_locations = [directory]
        if not module:
            module = sys.modules[name] = type(sys)(name)
            _init_module_attrs(spec, module)
            exec(marshal.loads(code), module.__dict__)
        else:  # this one, which has been executed
            _init_module_attrs(spec, module)
        parent, _, child = name.rpartition(".")
        if parent:
            setattr(sys.modules[parent], child, module)
    import awslambdaric.__main__ as main

    return main


# --- started ahead ------------------------------------------------------------------------------------------------------------------
def started_ahead(unbuffer):
    """Begun before there was a function (fnd's lib/sandbox/spec.h has the protocol): loads what is not the function's, waits for its environment."""
    fd = int(os.environ["_FND_PRESTART"])
    before = set(sys.modules)
    for name in PRELOADED:
        __import__(name)
    new = set(sys.modules) - before
    compile("", "", "exec")  # see _HandlerFinder
    unbuffer()
    shown = _environ_shown()
    _comm("fn-ready")
    os.write(fd, b"!")
    size = int.from_bytes(_read_all(fd, 4), sys.byteorder)
    environment = _read_all(fd, size)
    os.close(fd)
    _comm("bootstrap")
    take_environment(environment)
    _show_environ(environment, *shown)
    os.chdir(TASK_ROOT)
    sys.path_importer_cache.clear()  # what it says of directories was true of another root
    _user_site()
    return new


def _user_site():
    """The user's site-packages are below HOME, which has been none until now."""
    import site

    if "HOME" in os.environ and site.ENABLE_USER_SITE:
        site.USER_BASE = site.USER_SITE = None
        site.addusersitepackages(None)


def _environ_shown():
    """(descriptor of this process' memory, start, end): the place that /proc/self/environ shows, with what it was begun with."""
    with open("/proc/self/stat", "rb") as f:
        fields = f.read().rpartition(b")")[2].split()
    return os.open("/proc/self/mem", os.O_WRONLY), int(fields[47]), int(fields[48])


def _show_environ(environment, memory, start, end):
    """Nothing points there any more."""
    if len(environment) <= end - start:
        os.pwrite(memory, environment.ljust(end - start, b"\0"), start)
    os.close(memory)


def take_environment(environment):
    """b"NAME=value\\0..." instead of what there is."""
    os.environ.clear()
    for entry in environment.split(b"\0")[:-1]:
        name, _, value = entry.partition(b"=")
        os.environb[name] = value


def _read_all(fd, size):
    data = b""
    while len(data) < size:
        more = os.read(fd, size - len(data))
        if not more:
            sys.exit(0)  # never needed
        data += more
    return data


def _comm(name):
    with open("/proc/self/comm", "w") as f:
        f.write(name)


def _forget_shadowed(modules):
    """A module of the function's own that has a preloaded one's name comes first, as if nothing had been loaded."""
    own = set()
    for path in (TASK_ROOT, *OPT):
        try:
            own.update(n.partition(".")[0] for n in os.listdir(path))
        except OSError:
            continue
    if any(m.partition(".")[0] in own for m in modules):
        for m in modules:
            sys.modules.pop(m, None)


# --- the module search path -----------------------------------------------------------------------------------------------------------
def set_up_path():
    """As Lambda's runtime does it: the function's directory and the layers' come first and are site directories, whose .pth files count; a
    PYTHONPATH of the function's own has to name the layers' itself. What PYTHONPATH and the interpreter's site-packages hold, sitecustomize
    too, the interpreter has seen to before."""
    given = os.environ.setdefault("PYTHONPATH", RUNTIME_DIR)
    if given == RUNTIME_DIR:
        if RUNTIME_DIR in sys.path[1:]:  # by PYTHONPATH; the script's directory is the first
            sys.path.remove(RUNTIME_DIR)
        sys.path[:0] = [*OPT, LANG + "/site-packages"]
    sys.path.insert(0, TASK_ROOT)
    names = _site_directory(TASK_ROOT)
    if given == RUNTIME_DIR:
        for directory in OPT:
            names += _site_directory(directory)
    own = COMPILED_IN.intersection([n.partition(".")[0] for n in names])
    if own:
        sys.meta_path.insert(0, _OwnFinder(own))


class _OwnFinder:
    """Modules of the function's, or of its layers', that have the names of some that are compiled into this interpreter and come from files on Lambda: behind the
    function's own. What has been imported already stays what it is, as there."""

    def __init__(self, names):
        self.names = names

    def find_spec(self, name, path=None, target=None):
        spec = PathFinder.find_spec(name) if name in self.names else None
        return spec if spec and spec.has_location else None  # a directory without __init__.py comes last


def _site_directory(directory):
    """What is in it. And site.addsitedir() of one that sys.path has. It looks at every other one of the path first; that is for .pth files, and there are seldom any.
    One that does not exist is in the path twice then, as on Lambda."""
    try:
        names = os.listdir(directory)
    except OSError:
        if not os.path.exists(directory):
            sys.path.append(directory)
        return []
    if any(n.endswith(".pth") for n in names):
        import site

        site.addsitedir(directory)
    return names


# --- the handler's module -------------------------------------------------------------------------------------------------------------
class _HandlerFinder:
    """First on sys.meta_path until something is imported: the handler's module, whose source it has compiled without compile(). That one makes the
    types of the ast module before it looks at what it has been given: 0.6 ms, which a function that needs no syntax trees is spared. exec() does
    not, and has compiled all when it begins to run."""

    def __init__(self, name):
        self.name = name

    def find_spec(self, name, path=None, target=None):
        sys.meta_path.remove(self)
        if name != self.name:
            return None
        for finder in sys.meta_path:
            spec = finder.find_spec(name, path, target)
            if spec:
                if type(spec.loader) is SourceFileLoader:
                    spec.loader.source_to_code = lambda data, path, fullname=None: _compiled(spec.loader, data, path)
                return spec
        return None


class _Begins(BaseException):
    """exec() is about to run it."""


def _compiled(loader, source, path):
    """What loader.source_to_code() returns."""
    del loader.source_to_code
    found = []

    def begins(frame, event, arg):
        if event == "call":
            found.append(frame.f_code)
            raise _Begins

    if sys.getprofile() is None:
        filters = sys.modules.get("warnings", _warnings).filters
        refuse = ("error", None, Warning, None, 0)
        filters.insert(0, refuse)  # a warning has to name the file, and so has an error: for these compile() is there
        sys.setprofile(begins)
        try:
            exec(source, {})
        except (_Begins, Exception):
            pass
        finally:
            sys.setprofile(None)
            filters.remove(refuse)
    if not found:
        return loader.source_to_code(source, path)
    _imp._fix_co_filename(found[0], path)
    return found[0]


def main(runtime):
    """Does not return."""
    ahead = started_ahead(runtime.bootstrap.unbuffer) if "_FND_PRESTART" in os.environ else ()
    sys.argv[:] = [RUNTIME_DIR + "/bootstrap.py"]
    if orig_argv := getattr(sys, "orig_argv", None):  # Python 3.10
        orig_argv[:] = [sys.executable, *sys.argv]
    sys.modules["__main__"].__file__ = sys.argv[0]
    set_up_path()
    if ahead:
        _forget_shadowed(ahead)
    else:
        sys.meta_path.insert(0, _HandlerFinder(os.environ.get("_HANDLER", "").rpartition(".")[0].replace("/", ".").partition(".")[0]))
    gc.enable()
    runtime.main([TASK_ROOT, os.environ.get("_HANDLER", "")])
