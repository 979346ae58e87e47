"""SnapStart: cold invocations of versions with a snapshot, beside plain starts of the same functions and the bare interpreter doing the same imports."""
import os

from common import FULL_CPU_MB, PYTHON, create, python3, quantile, run_json, tool
from harness import make_zip, wait_until
from invocations import cold_round, daemon

IMPORTS = "import json, ssl, urllib.request, sqlite3, boto3"  # an AWS SDK: 38 shared libraries and 40 MB of the process's own memory
SDK = f"""{IMPORTS}
client = boto3.client("s3", region_name="us-east-1", aws_access_key_id="none", aws_secret_access_key="none")
def handler(event, context):
    return event
"""
KINDS = {"python": (PYTHON, 5000, "pass"), "python_sdk": (SDK, 8000, IMPORTS)}


def settle(d, names):
    for name in names:
        config = lambda: d.request("GET", f"/2015-03-31/functions/{name}/configuration?Qualifier=1").json
        wait_until(f"{name}:1 has its snapshot", lambda: config()["State"] != "Pending", 120)
        if config()["SnapStart"]["OptimizationStatus"] != "On":
            raise RuntimeError(f"{name}: {config().get('StateReason')}")


def snapstart(b):
    rounds, n = (2, 3) if b.quick else (4, 6)
    with daemon({"account_concurrency": 4000}) as d:
        for label, (source, aim, imports) in KINDS.items():
            b.say(f"SnapStart: {label}")
            prefix = f"snap-{label.replace('_', '-')}-"
            names = [f"{prefix}{i}" for i in range(rounds * n)]
            kind = ("python3.11", "f.handler", make_zip({"f.py": source}))
            for name in names:
                create(d, name, kind, SnapStart={"ApplyOn": "PublishedVersions"}, Publish=True)
            settle(d, names)
            script = os.path.join(d.state, f"{label}.py")
            with open(script, "w") as f:
                f.write(imports + "\n")
            restored, stages, plain, peer = [], [], [], []
            for k in range(rounds):
                us, st = cold_round(b, d, prefix, k * n, n, 100, "?Qualifier=1")
                restored.append(us)
                stages.append(st)
                plain.append(cold_round(b, d, prefix, k * n, n, 100)[0])
                peer.append(run_json([tool("times"), n, 1, "peer", f"{python3()} {script}"])["peer"]["us"])
            for name in names:
                d.delete(name)
            figure = f"cold_{label}_snapstart_us"
            b.figure(figure, restored, aim=aim, memory_mb=FULL_CPU_MB, what="100 ms after the one before",
                     stages={s: quantile([x[s] for x in stages if s in x], 0.5) for s in stages[0]})
            b.peer(figure, "the same function, plain start", plain)
            b.peer(figure, f"python3, {imports}", peer)
