"""Pinned files of PyPI, Maven and npm, through their ordinary clients. What the registry gives is refused unless it has the recipe's digest."""
import base64, configparser, fnmatch, glob, hashlib, json, os, re, shutil, subprocess, sys, tarfile, tempfile, time, zipfile

from debian import fail, file_sha256

RETRIES = 3
AT_ONCE = 4  # npm processes


# --- PyPI ---------------------------------------------------------------------------------------------------------------------------
def pip():
    for python in ("/usr/bin/python3", sys.executable):  # the system's first: another one may stand before it on PATH
        if subprocess.run([python, "-m", "pip", "--version"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL).returncode == 0:
            return [python, "-m", "pip"]
    fail("packages of PyPI's are downloaded with pip, and /usr/bin/python3 has none (package python3-pip; `make deps`)")


def wheel(cache, entry):
    for path in glob.glob(os.path.join(cache, "*.whl")):
        if os.path.basename(path).lower().startswith(entry["package"].lower().replace("-", "_").replace("==", "-") + "-"):
            if file_sha256(path) == entry["sha256"]:
                return path
    return None


def made_for(entry):
    """pip's words for what a wheel is for: every interpreter and platform, or the one that the recipe names ("cp310-manylinux2014_x86_64")."""
    if "tag" not in entry:
        return ("--platform", "any", "--implementation", "py", "--abi", "none")
    python, _, platform = entry["tag"].partition("-")
    return ("--platform", platform, "--implementation", python[:2], "--python-version", python[2:], "--abi", python)


def download_pypi(entries, cache, say):
    """[path of the wheel of each entry]; all that is missing at once."""
    os.makedirs(cache, exist_ok=True)
    for kind in sorted({made_for(e) for e in entries}):
        fetch_pypi([e for e in entries if made_for(e) == kind and not wheel(cache, e)], kind, cache, say)
    paths = [wheel(cache, e) for e in entries]
    for e, path in zip(entries, paths):
        if not path:
            fail(f"{e['package']}: no wheel for {e.get('tag', 'every platform')} has the SHA-256 {e['sha256']}")
    return paths


def fetch_pypi(missing, made_for, cache, say):
    if missing:
        say(f"downloading {', '.join(e['package'] for e in missing)}")
        with tempfile.NamedTemporaryFile("w", suffix=".txt") as f:
            f.write("".join(f"{e['package']} --hash=sha256:{e['sha256']}\n" for e in missing))
            f.flush()
            command = pip() + ["download", "--quiet", "--disable-pip-version-check", "--no-deps", "--require-hashes", "--only-binary", ":all:", *made_for,
                               "--dest", cache, "--requirement", f.name]
            for attempt in range(1, RETRIES + 1):
                r = subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
                if r.returncode == 0:
                    break
                time.sleep(attempt)
            else:
                fail(f"packages of PyPI's cannot be downloaded. pip says:\n{r.stderr.strip()}")


def stage_pypi(entry, path, root, scripts, interpreter):
    """A pure wheel's files as pip installs them: below entry["to"], its commands in `scripts`. Of another those that entry["copy"] names."""
    if "copy" in entry:
        return stage_zip(entry["package"], path, entry["copy"], root)
    to = os.path.join(root, entry["to"])
    with zipfile.ZipFile(path) as z:
        for name in sorted(z.namelist()):
            if name.endswith("/") or ".data/" in name.split("/")[0] + "/":
                continue
            target = os.path.normpath(os.path.join(to, name))
            if not target.startswith(os.path.normpath(to) + "/"):
                fail(f"{entry['package']}: {name} is outside of the package")
            os.makedirs(os.path.dirname(target), exist_ok=True)
            with z.open(name) as src, open(target, "wb") as dst:
                shutil.copyfileobj(src, dst)
            os.chmod(target, 0o644)
        for name in (n for n in z.namelist() if n.endswith(".dist-info/entry_points.txt")):
            points = configparser.ConfigParser(delimiters=("=",))
            points.optionxform = str
            points.read_string(z.read(name).decode())
            for command, call in points.items("console_scripts") if scripts and points.has_section("console_scripts") else ():
                module, _, function = call.partition(":")
                target = os.path.join(root, scripts, command.strip())
                os.makedirs(os.path.dirname(target), exist_ok=True)
                with open(target, "w") as f:
                    f.write(f"#!{interpreter}\nimport sys\nfrom {module.strip()} import {function.strip()}\n\nsys.exit({function.strip()}())\n")
                os.chmod(target, 0o755)


# --- Maven --------------------------------------------------------------------------------------------------------------------------
def maven_archive(cache, entry):
    _, name, version, kind, *classifier = entry["artifact"].split(":")
    return os.path.join(cache, "-".join([name, version, *classifier]) + "." + kind)  # as dependency:copy names it


def download_maven(entries, cache, say):
    """[(entry, path of its archive)]"""
    def missing():
        return [e for e in entries if not os.path.exists(maven_archive(cache, e)) or file_sha256(maven_archive(cache, e)) != e["sha256"]]
    for attempt in range(RETRIES):
        for e in missing():
            mvn = shutil.which("mvn") or fail("packages of Maven's repository are downloaded with mvn, and there is none here (package maven)")
            say(f"downloading {e['artifact']}")
            subprocess.run([mvn, "-q", "-B", "dependency:copy", f"-Dartifact={e['artifact']}", f"-DoutputDirectory={os.path.abspath(cache)}", "-Dmdep.overWriteReleases=true"],
                           stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    if missing():
        fail("cannot be downloaded with the digest that the recipe names: " + ", ".join(e["artifact"] for e in missing()))
    return [(e, maven_archive(cache, e)) for e in entries]


def stage_maven(entry, archive, root):
    stage_zip(entry["artifact"], archive, entry["copy"], root, entry["below"])


def stage_zip(what, archive, copy, root, below="."):
    """{path in the archive, a file or a directory: path in the image}. Jars and wheels keep no modes: what begins as a program or a library does may be
    executed."""
    left = dict(copy)
    with zipfile.ZipFile(archive) as z:
        for info in z.infolist():
            inside = os.path.relpath(info.filename, below)
            from_, to = next(((f, t) for f, t in copy.items() if inside == f or inside.startswith(f + "/")), (None, None))
            if info.is_dir() or from_ is None or "/__pycache__/" in inside:
                continue
            left.pop(from_, None)
            path = os.path.join(root, to + inside[len(from_):])
            os.makedirs(os.path.dirname(path), exist_ok=True)
            with z.open(info) as src, open(path, "wb") as dst:
                shutil.copyfileobj(src, dst)
            with open(path, "rb") as f:
                os.chmod(path, 0o755 if f.read(4) == b"\x7fELF" else 0o644)
    if left:
        fail(f"{what} has no {', '.join(left)}")


# --- npm ----------------------------------------------------------------------------------------------------------------------------
def npm():
    found = "/usr/bin/npm" if os.path.exists("/usr/bin/npm") else shutil.which("npm")
    return found or fail("packages of npm's registry are downloaded with npm, and there is none here (`make deps`)")


def npm_archive(cache, package, version):
    return os.path.join(cache, f"{package.lstrip('@').replace('/', '-')}-{version}.tgz")  # as npm pack names it


def file_integrity(path):
    with open(path, "rb") as f:
        return "sha512-" + base64.b64encode(hashlib.sha512(f.read()).digest()).decode()


def fetch_many(wanted, cache, say):
    """Archives of {(package, version): integrity} into the cache, by a few npm at once: npm itself gets one after the other."""
    def missing():
        return [k for k, integrity in sorted(wanted.items()) if not os.path.exists(npm_archive(cache, *k)) or file_integrity(npm_archive(cache, *k)) != integrity]
    os.makedirs(cache, exist_ok=True)
    for attempt in range(RETRIES):
        todo = missing()
        if not todo:
            return
        say(f"downloading {len(todo)} packages from npm's registry")
        running = [subprocess.Popen([npm(), "pack", "--loglevel=error", "--ignore-scripts"] + [f"{p}@{v}" for p, v in todo[i::AT_ONCE]], cwd=cache, stdout=subprocess.DEVNULL)
                   for i in range(min(AT_ONCE, len(todo)))]
        for p in running:
            p.wait()
    if missing():
        fail("cannot be downloaded with the digest that package-lock.json names: " + ", ".join(f"{p}@{v}" for p, v in missing()))


def download_npm(entries, cache, say):
    """[(entry, path of its archive)]"""
    keys = [tuple(e["package"].rsplit("@", 1)) for e in entries]
    fetch_many(dict(zip(keys, (e["integrity"] for e in entries))), cache, say)
    return [(e, npm_archive(cache, *k)) for e, k in zip(entries, keys)]


def stage_npm(entry, archive, root):
    wanted = dict(entry["copy"])
    with tarfile.open(archive) as tar:
        for member in tar:
            inside = member.name.partition("/")[2]  # the first part is "package"
            if inside not in wanted or not member.isreg():
                continue
            path = os.path.join(root, wanted.pop(inside))
            os.makedirs(os.path.dirname(path), exist_ok=True)
            with open(path, "wb") as f:
                shutil.copyfileobj(tar.extractfile(member), f)
            os.chmod(path, 0o755 if member.mode & 0o111 else 0o644)
    if wanted:
        fail(f"{entry['package']} has no {', '.join(wanted)}")


def locked_tree(path):
    """[(directory below node_modules, package, version, integrity)] of a package-lock.json, without what only development needs."""
    with open(path) as f:
        packages = json.load(f)["packages"]
    found = []
    for place, p in sorted(packages.items()):
        if place and not p.get("dev") and not p.get("optional"):
            if not p.get("integrity", "").startswith("sha512-"):
                fail(f"{path}: {place} has no sha512 integrity")
            found.append((place.removeprefix("node_modules/"), place.rpartition("node_modules/")[2], p["version"], p["integrity"]))
    return found


def stage_npm_tree(entry, root, cache, say):
    """[(package, version, integrity)] of what was put there. Packages out of the tree's scope are for those in it alone: they go where only these
    look, as in AWS's images, and do not stand in for what a function has forgotten to bring."""
    tree = locked_tree(os.path.join(entry["lock"], "package-lock.json"))
    fetch_many({(package, version): integrity for _, package, version, integrity in tree}, cache, say)
    scope, unwanted = entry["scope"], re.compile("|".join(fnmatch.translate(p) for p in entry.get("drop", [])) or r"(?!)")
    say(f"unpacking {len(tree)} packages of npm's")
    for place, package, version, _ in tree:
        to = os.path.join(root, entry["to"], place if place.startswith(scope + "/") else f"{scope}/node_modules/{place}")
        with tarfile.open(npm_archive(cache, package, version)) as tar:
            for member in tar:
                inside = os.path.normpath(member.name.partition("/")[2])
                if not member.isreg() or inside.startswith(("../", "/")) or unwanted.match(inside):
                    continue
                path = os.path.join(to, inside)
                os.makedirs(os.path.dirname(path), exist_ok=True)
                with open(path, "wb") as f:
                    shutil.copyfileobj(tar.extractfile(member), f)
                os.chmod(path, 0o755 if member.mode & 0o111 else 0o644)
    return sorted({(package, version, integrity) for _, package, version, integrity in tree})
