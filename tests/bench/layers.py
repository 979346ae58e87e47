"""Layers: a cold start with five of them beside one without, and a thousand of them for a thousand functions."""
import base64, http.client, json, random, threading, time

from common import create, quantile, runtimes, wait_active
from harness import make_zip, wait_until
from invocations import cold_round, daemon

PACKAGES, FILES = 5, 20  # of each layer, and of each package: what a runtime looks through is the packages' names


def content(seed):
    """Where the runtimes look, and none of it is loaded."""
    noise = random.Random(seed)
    files = {f"python/lib/python3.11/site-packages/lay{seed}_{k}/m{i}.py": f"N = {noise.random()}\n" for k in range(PACKAGES) for i in range(FILES)}
    return make_zip({**files, f"bin/tool{seed}": "#!/bin/sh\n", f"lib/lib{seed}.so": noise.randbytes(4000), f"nodejs/node_modules/lay{seed}/index.js": "0"})


def publish(c, name, package):
    c.request("POST", f"/2018-10-31/layers/{name}/versions", json.dumps({"Content": {"ZipFile": base64.b64encode(package).decode()}}))
    r = c.getresponse()
    body = json.loads(r.read())
    if r.status != 201:
        raise RuntimeError(f"{name}: {body}")
    return body["LayerVersionArn"]


def layers(b):
    rounds, n = (2, 4) if b.quick else (8, 10)
    with daemon({"account_concurrency": 4000}) as d:
        c = http.client.HTTPConnection("127.0.0.1", d.port)
        five = [publish(c, f"five{i}", content(i)) for i in range(5)]
        for label, kind in runtimes(d).items():
            b.say(f"cold starts with layers: {label}")
            names = []
            for which, more in (("none", {}), ("five", {"Layers": five})):
                for i in range(rounds * n):
                    names.append(f"{label}-{which}-{i}")
                    create(d, names[-1], kind, **more)
            wait_active(d, names)
            samples = {"none": [], "five": []}
            for k in range(rounds):
                for which in ("none", "five") if k % 2 else ("five", "none"):
                    samples[which].append(cold_round(b, d, f"{label}-{which}-", k * n, n, 100)[0])
            for name in names:
                d.delete(name)
            b.figure(f"cold_{label}_five_layers_us", samples["five"], what="100 ms after the one before, the function's first")
            b.peer(f"cold_{label}_five_layers_us", "without layers", samples["none"], aim=1.1)


def thousand(b):
    """Each function has five of the thousand layers; every tenth layer has another's content."""
    n = 100 if b.quick else 1000
    b.say(f"{n} layers, {n} functions with five each")
    with daemon({"account_concurrency": 4000}) as d:
        c, kind, dice, took = http.client.HTTPConnection("127.0.0.1", d.port), runtimes(d)["python"], random.Random(1), {"layer": [], "function": []}
        arns = []
        for i in range(n):
            package, begun = content(i - i % 10 if i % 10 == 9 else i), time.monotonic()
            arns.append(publish(c, f"l{i}", package))
            took["layer"].append((time.monotonic() - begun) * 1e6)
        cold = {}
        for i in range(n):
            begun = time.monotonic()
            create(d, f"t-{i}", kind, MemorySize=128, Layers=dice.sample(arns, 5))
            took["function"].append((time.monotonic() - begun) * 1e6)
            if i + 1 in (20, n):
                wait_active(d, [f"t-{k}" for k in range(i + 1)])
                cold[i + 1] = cold_round(b, d, "t-", 0 if i < n - 1 else n - 20, 20, 100)[0]
        tenth = n // 10
        for what in took:
            b.figure(f"create_{what}_last_tenth_of_{n}_us", [took[what][-tenth:]])
            b.peer(f"create_{what}_last_tenth_of_{n}_us", "the first tenth", [took[what][:tenth]])
        b.figure(f"cold_python_five_of_{n}_layers_us", [cold[n]], what="100 ms after the one before")
        b.peer(f"cold_python_five_of_{n}_layers_us", "with 20 functions", [cold[20]])
        disk = d.request("GET", "/_fnd/disk?check=1", timeout=600).json
        if disk["Faults"]:
            raise RuntimeError(f"rows and disk differ: {disk['Faults'][:3]}")
        trees = [i for i in disk["Items"] if i["Kind"] == "layer"]
        b.value(f"layer_trees_of_{n}_layers", len(trees), "trees", bytes=sum(i["Bytes"] for i in trees))
        clear(d, n)


def clear(d, n):
    """All of them go, from four clients; then nothing is left."""
    def go(k):
        for i in range(k, n, 4):
            d.delete(f"t-{i}")
            d.request("DELETE", f"/2018-10-31/layers/l{i}/versions/1")
    threads = [threading.Thread(target=go, args=(k,)) for k in range(4)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    wait_until("nothing is left", lambda: not [i for i in d.request("GET", "/_fnd/disk").json["Items"] if i["Kind"] != "image"], 600)
    faults = d.request("GET", "/_fnd/disk?check=1", timeout=600).json["Faults"]
    if faults:
        raise RuntimeError(f"after deletion rows and disk differ: {faults[:3]}")
