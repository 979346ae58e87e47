"""Container images for the benchmarks: 200 MB of few layers, 1 GB of 120, the base image of Python; and how long fnd takes to have one from its registry."""
import json, os, random, subprocess, time

import harness
from ociimages import Image, tar

WORDS = [os.urandom(24).hex().encode() for _ in range(4000)]


def content(rng, size):
    """Packs to about 0.4 of it, as programs and libraries do."""
    out, n = [], 0
    while n < size:
        out.append(rng.choice(WORDS) if rng.random() < 0.72 else rng.randbytes(40))
        n += len(out[-1])
    return b"".join(out)[:size]


def layer(rng, name, mb, files):
    """Few large files, many small ones."""
    total, entries = mb << 20, [(f"{name}", None)]
    sizes = [int(total * 0.6 / max(1, files // 40))] * max(1, files // 40)
    sizes += [int(total * 0.4 / files)] * (files - len(sizes))
    for i, size in enumerate(sizes):
        if i % 50 == 0:
            entries.append((f"{name}/d{i // 50}", None))
        entries.append((f"{name}/d{i // 50}/f{i}", content(rng, size), {"mode": 0o755 if i % 9 == 0 else 0o644}))
    return tar(entries)


def image(kind):
    rng = random.Random(7)
    if kind == "python":
        with open(os.path.join(harness.BUILD, "images/python3.11.json")) as f:
            names = [l["sha256"] for l in json.load(f)["layers"]]
        layers = [open(os.path.join(harness.BUILD, f"images/{n}.tar"), "rb").read() for n in reversed(names)]
    elif kind == "200":  # 550 MB, 216 MB packed, 9,600 files
        layers = [layer(rng, f"l{i}", 137, 2400) for i in range(4)]
    else:
        layers = [layer(rng, f"l{i}", 9, 80) for i in range(120)]
    return Image([*layers, tar([("main", open(os.path.join(harness.BUILD, "fixtures/bootstrap"), "rb").read(), {"mode": 0o755})])], entrypoint=["/main"])


def pull(d, uri, name, invoke=True):
    """Seconds until it is Active, and of its first invocation."""
    t = time.monotonic()
    r = d.request("POST", "/2015-03-31/functions", {"FunctionName": name, "PackageType": "Image", "Role": harness.ROLE, "Code": {"ImageUri": uri}, "MemorySize": 1769}, timeout=600)
    assert r.status == 201, r
    while (state := d.request("GET", f"/2015-03-31/functions/{name}/configuration").json)["State"] == "Pending":
        time.sleep(0.01)
    assert state["State"] == "Active", state
    took = time.monotonic() - t
    if not invoke:
        return took, 0
    t = time.monotonic()
    r = d.invoke(name, b"1")
    assert r.status == 200 and not r.error, r
    return took, time.monotonic() - t


def gone(d):
    harness.wait_until("the trees go", lambda: not [n for n in os.listdir(os.path.join(d.state, "roots")) if n.startswith(("oci-", "root-", ".tmp"))], 120)
