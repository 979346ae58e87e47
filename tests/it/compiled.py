"""Programs that the tests compile, for provided.al2023 and for themselves, in Go and Rust: of modules and crates as their registries have them, by what go.sum and Cargo.lock name. Kept in
build/compiled as long as sources and toolchain are the same. Where a registry does not answer, or a toolchain is missing or too old, that is said, and skipped."""
import contextlib, fcntl, hashlib, os, shutil, subprocess, unittest
from harness import TOP
from npm import newer_glibc

KEPT = os.path.join(TOP, "build/compiled")


def run(argv, cwd, env, otherwise):
    """otherwise: makes an exception of what it has said when it fails."""
    r = subprocess.run(argv, cwd=cwd, env={**os.environ, **env}, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace", timeout=1500)
    if r.returncode:
        raise otherwise(f"{' '.join(argv[:2])}: {r.stdout.strip()[-1500:]}")
    return r.stdout


def unreachable(text):
    return unittest.SkipTest("cannot be had here: " + text.strip())


def go(sources, to, **env):
    """env: CGO_ENABLED=0 for a program that stands alone."""
    program = shutil.which("go") or "/usr/local/go/bin/go"
    env = {"GOTOOLCHAIN": "local", "GOFLAGS": "", **env}
    run([program, "mod", "download"], sources, env, unreachable)
    run([program, "build", "-trimpath", "-ldflags", "-s -w", "-o", to, "."], sources, env, AssertionError)


def rust(sources, to, **env):
    env = {"CARGO_TARGET_DIR": os.path.join(KEPT, "target"), **env}
    run(["cargo", "fetch", "--quiet", "--locked", "--target", os.uname().machine + "-unknown-linux-gnu"], sources, env, unreachable)
    run(["cargo", "build", "--quiet", "--locked", "--offline"], sources, env, AssertionError)
    with open(os.path.join(sources, "Cargo.toml")) as f:
        name = f.read().split('name = "')[1].split('"')[0]
    shutil.copy(os.path.join(env["CARGO_TARGET_DIR"], "debug", name), to)


def command(package):
    """The path of the program that `go install` makes of "module/path@version". Not every proxy passes the checksum database on."""
    program = shutil.which("go") or "/usr/local/go/bin/go"
    name, version = package.rsplit("/", 1)[-1].split("@")
    home = os.path.join(TOP, "build/go", version)
    with locked(os.path.join(TOP, "build/go")):
        if not os.path.exists(os.path.join(home, name)):
            if not os.path.exists(program):
                raise unittest.SkipTest(f"there is no go to build {name} with")
            run([program, "install", "-trimpath", package], TOP, {"GOBIN": home, "GONOSUMDB": "*", "GOTOOLCHAIN": "local", "GOFLAGS": ""}, unreachable)
    return os.path.join(home, name)


def commands(module, names):
    """The directory with the programs cmd/NAME of "module/path@version", which `go install` does not make where its go.mod excludes versions of others."""
    program = shutil.which("go") or "/usr/local/go/bin/go"
    path, version = module.split("@")
    home = os.path.join(TOP, "build/go", path.rsplit("/", 1)[-1] + "-" + version)
    env = {"GONOSUMDB": "*", "GOTOOLCHAIN": "local", "GOFLAGS": "-mod=mod", "CGO_ENABLED": "0"}
    with locked(os.path.join(TOP, "build/go")):
        if not all(os.path.exists(os.path.join(home, n)) for n in names):
            if not os.path.exists(program):
                raise unittest.SkipTest(f"there is no go to build {names[0]} with")
            os.makedirs(home + "/src", exist_ok=True)
            with open(home + "/src/go.mod", "w") as f:
                f.write("module tests\n")
            packages = [f"{path}/cmd/{n}" for n in names]
            run([program, "get", *(f"{p}@{version}" for p in packages)], home + "/src", env, unreachable)
            run([program, "build", "-ldflags", "-s -w", "-o", home, *packages], home + "/src", env, AssertionError)
    return home


@contextlib.contextmanager
def locked(directory):
    os.makedirs(directory, exist_ok=True)
    with open(os.path.join(directory, ".lock"), "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


VERSION = {go: ("go", "version"), rust: ("cargo", "--version")}


def built(compiler, sources, **env):
    """The path of the program that go() or rust() makes of this directory."""
    tool, ask = VERSION[compiler]
    program = shutil.which(tool) or f"/usr/local/go/bin/{tool}"
    if not os.path.exists(program):
        raise unittest.SkipTest(f"there is no {tool} here")
    digest = hashlib.sha256(repr((sorted(env.items()), subprocess.run([program, ask], capture_output=True, check=True).stdout)).encode())
    for base, directories, names in os.walk(sources):
        directories.sort()
        for name in sorted(names):
            with open(os.path.join(base, name), "rb") as f:
                digest.update(os.path.relpath(f.name, sources).encode() + b"\0" + f.read() + b"\0")
    to = os.path.join(KEPT, f"{os.path.basename(sources)}-{digest.hexdigest()[:16]}")
    with locked(KEPT):
        if not os.path.exists(to):
            compiler(sources, to + ".tmp", **env)
            os.rename(to + ".tmp", to)
    newer = newer_glibc(to)
    if newer:
        raise unittest.SkipTest(f"what is built here wants {newer} of the C library; the images have an older one")
    return to
