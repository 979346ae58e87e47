"""Packages of PyPI's that tests use, as they are published: exact versions, installed with pip into build/pypi, kept between runs."""
import fcntl, hashlib, os, re, shutil, subprocess, unittest
from harness import TOP

HOME = os.path.join(TOP, "build/pypi")
PIP = ["/usr/bin/python3", "-m", "pip"]  # the system's: another python3 may stand before it on PATH


def install(*requirements, python=None):
    """A directory with them and nothing else, for the system's Python, or for another ("3.11"): a function's, which Debian 13's is not. Skips the test, loudly, where pip or the registry is out of reach."""
    if subprocess.run(PIP + ["--version"], capture_output=True).returncode:
        raise unittest.SkipTest("pip is not installed (python3-pip)")
    to = os.path.join(HOME, hashlib.sha256(" ".join(requirements + ((python,) if python else ())).encode()).hexdigest()[:16])
    other = ["--implementation", "cp", "--python-version", python] + [x for p in ("manylinux2014", "manylinux_2_17", "manylinux_2_28") for x in ("--platform", p + "_x86_64")] if python else []
    os.makedirs(HOME, exist_ok=True)
    with open(os.path.join(HOME, ".lock"), "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not os.path.isdir(to):
            shutil.rmtree(to + ".tmp", ignore_errors=True)
            r = subprocess.run(PIP + ["install", "-q", "--no-deps", "--no-compile", "--only-binary", ":all:", *other, "--target", to + ".tmp", *requirements], capture_output=True, text=True, timeout=600)
            if r.returncode:
                if "No matching distribution" in r.stderr and "==" in r.stderr and "from versions: none" not in r.stderr:
                    raise AssertionError("pip install: " + r.stderr)
                raise unittest.SkipTest("PyPI is out of reach: " + (r.stderr.strip().splitlines() or ["?"])[-1])
            os.rename(to + ".tmp", to)
    return to


def boto3():
    """The newest boto3 that is pinned, with all that it needs: the image's. Debian's is older than some operations."""
    with open(os.path.join(TOP, "rootfs/python-boto3/recipe.json")) as recipe:
        return re.findall(r'"package": "((?:boto3|botocore|s3transfer|jmespath|urllib3|python-dateutil|six)==[^"]*)"', recipe.read())


def files(directory, prefix=""):
    """{path in a package: bytes}"""
    found = {}
    for base, _, names in os.walk(directory):
        for name in names:
            path = os.path.join(base, name)
            if not name.endswith((".pyc", ".pyi")):
                with open(path, "rb") as f:
                    found[prefix + os.path.relpath(path, directory)] = f.read()
    return found
