"""The tree of an image's layer: what is left out, added, changed and compiled, and its archive."""
import fnmatch, glob, gzip, json, marshal, os, re, shutil, subprocess, sys, tarfile, tempfile

from debian import ENV, fail

FIXED_TIME = 1672531200  # 2023-01-01: before any deployment, and no package is dated 1970


def drop(root, patterns):
    rules = re.compile("|".join(fnmatch.translate(p) + "|" + fnmatch.translate(p + "/*") for p in patterns))
    for base, dirs, files in os.walk(root, topdown=False):
        for n in files + dirs:
            path = os.path.join(base, n)
            if rules.match(os.path.relpath(path, root)):
                if os.path.islink(path) or not os.path.isdir(path):
                    os.unlink(path)
                elif not os.listdir(path):
                    os.rmdir(path)


def move(root, moves):
    for old, new in moves.items():
        target = os.path.join(root, new)
        os.makedirs(os.path.dirname(target), exist_ok=True)
        os.rename(os.path.join(root, old), target)


def edit(root, edits):
    """[{"file", "from", "to"}]: texts that are there exactly once."""
    for e in edits:
        path = os.path.join(root, e["file"])
        with open(path) as f:
            text = f.read()
        if text.count(e["from"]) != 1:
            fail(f"{e['file']} has {e['from']!r} {text.count(e['from'])} times, not once")
        with open(path, "w") as f:
            f.write(text.replace(e["from"], e["to"]))


def link(root, links, replace=True):
    for path, target in links.items():
        full = os.path.join(root, path)
        os.makedirs(os.path.dirname(full), exist_ok=True)
        if replace and os.path.islink(full):
            os.unlink(full)
        if not os.path.lexists(full):
            os.symlink(target, full)


def link_openssl(root, pattern):
    """The directory that is compiled into the one library of this pattern (OPENSSLDIR) leads to /etc/ssl."""
    (library,) = glob.glob(os.path.join(root, pattern))
    with open(library, "rb") as f:
        (directory,) = set(re.findall(rb'OPENSSLDIR: "/([^"]+)"', f.read()))
    link(root, {directory.decode(): "/etc/ssl"})


def write(root, rel, text, mode=0o644):
    path = os.path.join(root, rel)
    os.makedirs(os.path.dirname(path), exist_ok=True)
    if os.path.islink(path):
        os.unlink(path)
    with open(path, "w") as f:
        f.write(text)
    os.chmod(path, mode)


def copy_files(root, recipe_dirs):
    for recipe_dir in recipe_dirs:
        files = os.path.join(recipe_dir, "files")
        if os.path.isdir(files):
            shutil.copytree(files, root, symlinks=True, dirs_exist_ok=True, ignore=shutil.ignore_patterns("__pycache__"))


def beside(recipe_dirs, name):
    """A file or directory of the recipe's, or of one that it is based on."""
    found = [d for d in reversed(recipe_dirs) if os.path.exists(os.path.join(d, name))]
    if not found:
        fail(f"no directory of the recipe has {name}")
    return os.path.join(found[0], name)


def place(root, recipe_dirs, files):
    for path, name in files.items():
        with open(beside(recipe_dirs, name)) as f:
            write(root, path, f.read())


def shebang(root, interpreters):
    for path, interpreter in interpreters.items():
        with open(os.path.join(root, path)) as f:
            text = f.read()
        write(root, path, f"#!/{interpreter}\n{text.partition(chr(10))[2]}", 0o755)


def certificates(root):
    """One bundle of what ca-certificates trusts, by every name that Amazon Linux has for it (recipes link the rest)."""
    certs = sorted(glob.glob(os.path.join(root, "usr/share/ca-certificates/mozilla/*.crt")))
    if certs:
        write(root, "etc/ssl/certs/ca-certificates.crt", "".join(open(c).read() for c in certs))


# --- with the image's own programs, run on the host by the image's own loader and libraries -------------------------------------------
def loader(roots):
    """[command that runs a program of the trees], and the directories of libraries; `roots`: the layer's tree and those below it."""
    found = [p for r in roots for p in glob.glob(os.path.join(r, "usr/lib/*/ld-linux-*.so.*"))]
    if not found:
        fail("no layer of this image has a C library")
    libs = [d for r in roots for d in glob.glob(os.path.join(r, "usr/lib/*-linux-gnu*")) if os.path.isdir(d)]
    return [found[0], "--library-path", ":".join(dict.fromkeys(libs))]


def program(roots, rel):
    for r in roots:
        if os.path.exists(os.path.join(r, rel)):
            return os.path.join(r, rel)
    fail(f"no layer of this image has {rel}")


def make_locales(root, roots, locales):
    """{name: [source, character map]}: compiled from the package `locales`."""
    for name, (source, charmap) in sorted(locales.items()):
        out = os.path.join(root, "usr/lib/locale", name)
        os.makedirs(os.path.dirname(out), exist_ok=True)
        r = subprocess.run(loader(roots) + [program(roots, "usr/bin/localedef"), "--no-archive", "-i", source, "-f", charmap, out],
                           env={**ENV, "I18NPATH": os.path.join(root, "usr/share/i18n"), "LOCPATH": os.path.join(root, "usr/lib/locale")},
                           stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        if not os.path.exists(os.path.join(out, "LC_CTYPE")):
            fail(f"the locale {name} cannot be made: {r.stdout.strip()}")
    # without its cache the C library parses gconv's text files in each program that sets a locale: 1.5 ms
    subprocess.run(loader(roots) + [program(roots, "usr/sbin/iconvconfig"), f"--prefix={os.path.abspath(root)}"], env=ENV, check=True)


LIBRARIES = "usr/lib/*-linux-gnu*/l*.so*"


def has_libraries(root):
    return bool(glob.glob(os.path.join(root, LIBRARIES)))


def library_cache(root, roots, stage):
    """/etc/ld.so.cache, by which the loader, and Python's ctypes.util.find_library(), find the libraries of this layer and of those below; and each of
    this one's by Amazon Linux's directory, too, which comes first in LD_LIBRARY_PATH."""
    for path in sorted(glob.glob(os.path.join(root, LIBRARIES))):
        rel = os.path.relpath(path, os.path.join(root, "usr/lib64"))
        link(root, {f"usr/lib64/{os.path.basename(path)}": rel}, replace=False)
    with tempfile.TemporaryDirectory(dir=stage) as whole:  # the image's libraries, in one tree
        for r in roots:
            for path in glob.glob(os.path.join(r, LIBRARIES)):
                to = os.path.join(whole, os.path.relpath(path, r))
                os.makedirs(os.path.dirname(to), exist_ok=True)
                if not os.path.lexists(to):
                    os.link(path, to, follow_symlinks=False)
        os.symlink("usr/lib", os.path.join(whole, "lib"))
        dirs = sorted("/" + os.path.relpath(d, whole) for d in glob.glob(os.path.join(whole, os.path.dirname(LIBRARIES))))
        write(whole, "etc/ld.so.conf", "".join(d + "\n" for d in dirs))
        if subprocess.run([program(roots, "usr/sbin/ldconfig"), "-X", "-r", whole], env=ENV).returncode:  # linked statically
            fail("ldconfig does not run")
        for name in ("ld.so.conf", "ld.so.cache"):
            os.makedirs(os.path.join(root, "etc"), exist_ok=True)
            shutil.copy(os.path.join(whole, "etc", name), os.path.join(root, "etc", name))


def compile_python(root, roots, interpreter, dirs, say):
    """With the image's own interpreter, so that the bytecode is that version's; single-process, so that it is the same every time."""
    say("compiling Python modules")
    for path in (p for d in dirs for p in glob.glob(os.path.join(root, d, "**/*.py"), recursive=True)):
        if os.path.islink(path) and not os.path.realpath(path).startswith(os.path.realpath(root) + "/"):
            fail(f"{path} leads out of the image: it would be compiled from a file of this host's")
    python = program(roots, interpreter)
    env = {"PYTHONHOME": os.path.dirname(os.path.dirname(python)), "PYTHONHASHSEED": "0", "PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8"}
    for d in dirs:
        r = subprocess.run(loader(roots) + [python, "-S", "-m", "compileall", "-q", "-f", "--invalidation-mode", "unchecked-hash", "-s", root, "-p", "/",
                                            os.path.join(root, d)], env=env, check=False, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        sources = glob.glob(os.path.join(root, d, "**/*.py"), recursive=True)
        compiled = glob.glob(os.path.join(root, d, "**/*.pyc"), recursive=True)
        if len(compiled) < 0.95 * len(sources):  # a few are not meant to compile; without the others every start would be slow
            fail(f"only {len(compiled)} of {len(sources)} modules in {d} could be compiled. {r.stderr.strip()[-2000:]}")


def bundle_python(root, file, modules):
    """Compiled modules in one file, marshalled: {module: (source, where it lies compiled, its directory if it is a package, code)}. Each by itself is
    looked for, opened and read: 0.1 ms at a cold start."""
    bundle = {}
    for name, source in modules.items():
        directory, base = os.path.split(source)
        compiled = glob.glob(os.path.join(root, directory, "__pycache__", base.removesuffix(".py") + ".cpython-*.pyc"))
        if len(compiled) != 1:
            fail(f"{file}: {source} has been compiled {len(compiled)} times, not once")
        with open(compiled[0], "rb") as f:
            bundle[name] = ("/" + source, "/" + os.path.relpath(compiled[0], root), "/" + directory if base == "__init__.py" else None, f.read()[16:])  # PEP 552: what precedes the code
    with open(os.path.join(root, file), "wb") as f:
        f.write(marshal.dumps(bundle, 2))  # of a version that every interpreter reads, and without references: the same bytes every time


def slim_json(root, dirs, say):
    """API models are two thirds documentation, which nobody reads at run time and every client would parse. What is left is not compressed."""
    def without_text(o):
        if isinstance(o, dict):  # a member that is *called* documentation has an object there, not a string
            return {k: "" if k == "documentation" and isinstance(v, str) else without_text(v) for k, v in o.items()}  # botocore wants the key
        return [without_text(v) for v in o] if isinstance(o, list) else o

    say("slimming API models")
    for d in dirs:
        for path in sorted(glob.glob(os.path.join(root, d, "**/*.json"), recursive=True) + glob.glob(os.path.join(root, d, "**/*.json.gz"), recursive=True)):
            with (gzip.open if path.endswith(".gz") else open)(path, "rb") as f:
                model = without_text(json.load(f))
            if path.endswith(".gz"):
                os.unlink(path)
            with open(path.removesuffix(".gz"), "w") as f:
                f.write(json.dumps(model, separators=(",", ":")))


def join_modules(root, main, modules):
    path = os.path.join(root, main)
    with open(path) as f:
        text = f.read()
    parts = ["'use strict';\n"]
    for i, name in enumerate(modules):
        module = os.path.join(os.path.dirname(path), name)
        with open(module) as f:
            parts.append(f"const joined_{i} = ((module) => {{ // {name}\n{f.read()}return module.exports;\n}})({{}});\n")
        os.unlink(module)
        if text.count(f"require('./{name}')") != 1:
            fail(f"{main} does not require {name} exactly once")
        text = text.replace(f"require('./{name}')", f"joined_{i}")
    with open(path, "w") as f:
        f.write("".join(parts) + text)


# --- the archive --------------------------------------------------------------------------------------------------------------------
def make_tar(root, path):
    """Sorted, times fixed, owners root: the same tree gives the same bytes."""
    def entries():
        for base, dirs, files in os.walk(root):
            dirs.sort()
            for n in sorted(dirs + files):
                yield os.path.relpath(os.path.join(base, n), root)
    with tarfile.open(path, "w", format=tarfile.PAX_FORMAT) as tar:
        for rel in sorted(entries()):
            full = os.path.join(root, rel)
            info = tar.gettarinfo(full, rel)
            info.uid = info.gid = 0
            info.uname = info.gname = ""
            info.mtime = FIXED_TIME
            info.pax_headers = {}
            if info.isdir():
                info.mode = 0o1777 if rel == "tmp" else 0o755
            elif info.isreg():
                info.mode = 0o755 if info.mode & 0o111 else 0o644
            if info.islnk():  # of hard links each gets its content: simpler for everyone
                info.type, info.linkname, info.size = tarfile.REGTYPE, "", os.stat(full).st_size
            if info.isreg():
                with open(full, "rb") as f:
                    tar.addfile(info, f)
            elif info.isdir() or info.issym():
                tar.addfile(info)
            else:
                fail(f"{rel} is neither file, directory nor link")
