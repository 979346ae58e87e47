"""A hello in every runtime whose image is there: cold, started ahead and plainly, and from a snapshot for those that have SnapStart. In turns, so that Pythons can be held against python3.11.
What README's table of runtimes tells."""
import glob, os

import javac
from common import NODE, PYTHON, create
from harness import IMAGES, make_zip, wait_until
from invocations import cold_round, daemon
from jvm import HELLO
from snapstart import settle

RUBY = "def handler(event:, context:)\n  event\nend\n"
AHEAD_US = {"ruby": 10000, "java": 40000}


def kind_of(version):
    if version.startswith("python"):
        return version, "f.handler", make_zip({"f.py": PYTHON})
    if version.startswith("nodejs"):
        return version, "f.handler", make_zip({"f.js": NODE})
    if version.startswith("ruby"):
        return version, "f.handler", make_zip({"f.rb": RUBY})
    return version, "H", make_zip(javac.compiled(HELLO))


def one_round(b, d, version, label, k, n):
    """The figures of n functions of their own, each invoked once."""
    prefix = f"{label}-{version.replace('.', '-')}-{k}-"
    names = [f"{prefix}{i}" for i in range(n)]
    more = {"SnapStart": {"ApplyOn": "PublishedVersions"}, "Publish": True} if label == "snapstart" else {}
    for name in names:
        create(d, name, kind_of(version), **more)
    if more:
        settle(d, names)
    for name in names:
        d.settled(name)
    if label == "ahead":
        wait_until(f"{version} has been started ahead", lambda: any(name.startswith(version) and c >= n for name, c in d.doctor()["Prepared"].items() if isinstance(c, int)))
    us, _ = cold_round(b, d, prefix, 0, n, 100, "?Qualifier=1" if more else "")
    for name in names:
        d.delete(name)
    return us


def hellos(b):
    rounds, n = (1, 2) if b.quick else (4, 4)
    versions = sorted(v for v in (os.path.basename(p)[:-5] for p in glob.glob(IMAGES + "/*.json")) if v.startswith(("python", "nodejs", "ruby", "java")))
    seen = {}
    with daemon({"prestarted_most": 0, "prestarted_least": 0}) as plain, daemon({"prestarted_least": n + 2, "account_concurrency": 4000}) as ahead:
        for k in range(rounds):
            b.say(f"hellos: round {k + 1} of {rounds}, {len(versions)} runtimes")
            for version in versions if k % 2 else reversed(versions):
                for label, d in (("ahead", ahead), ("plain", plain), *((("snapstart", ahead),) if version.startswith("python") else ())):
                    seen.setdefault((version, label), []).append(one_round(b, d, version, label, k, n))
    for (version, label), values in sorted(seen.items()):
        figure = f"hello_{version}_{label}_us"
        family = version.rstrip("0123456789.alx")
        b.figure(figure, values, aim=AHEAD_US.get(family) if label == "ahead" else None, what={"ahead": "started ahead", "plain": "plainly", "snapstart": "from a snapshot"}[label])
        if family == "python" and version != "python3.11" and ("python3.11", label) in seen:
            b.peer(figure, "python3.11", seen["python3.11", label])
