"""`make install` into a DESTDIR: the daemon started from there finds its helpers, runtimes and images beside it,
also where only root may look (mkdtemp's mode; a clone in /root is the same); uninstall leaves nothing."""
import json, os, shutil, subprocess, tempfile, unittest
import harness
from harness import Daemon, TOP, bundle, wait_until

MARKERS = ("sbin/fnd", "bin/fnctl", "libexec/fnd/fn-spawnd", "libexec/fnd/fn-unpack", "libexec/fnd/fn-fetch", "share/fnd/runtimes.json", "share/man/man8/fnd.8", "share/man/man1/fnctl.1",
           "share/bash-completion/completions/fnctl", "lib/systemd/system/fnd.service", "lib/sysusers.d/fnd.conf")


class Install(unittest.TestCase):
    def setUp(self):
        self.dest = tempfile.mkdtemp(prefix="fnd-install-", dir=os.environ.get("FND_TEST_DIR", "/var/tmp"))
        self.addCleanup(shutil.rmtree, self.dest, ignore_errors=True)
        self.prefix = os.path.join(self.dest, "opt/fnd")

    def make(self, target, *variables):
        return subprocess.run(["make", "-C", TOP, "--no-print-directory", target, f"B={harness.BUILD}", f"IMAGE_DIR={harness.IMAGES}", f"DESTDIR={self.dest}",
                               "PREFIX=/opt/fnd", *variables], check=True, capture_output=True, text=True, env={k: v for k, v in os.environ.items() if k not in ("MAKEFLAGS", "MFLAGS")}).stdout

    def one_image(self):
        """A directory with python3.11's bundle alone: a few seconds less to copy and to unpack."""
        d = tempfile.mkdtemp(prefix="fnd-images-", dir="/var/tmp")
        self.addCleanup(shutil.rmtree, d)
        return bundle(d, ["python3.11"])

    def files(self):
        return sorted(os.path.relpath(os.path.join(base, f), self.dest) for base, _, names in os.walk(self.dest) for f in names)

    def test_install_run_uninstall(self):
        self.make("install", f"IMAGE_DIR={self.one_image()}")
        for name in MARKERS:
            self.assertTrue(os.path.exists(os.path.join(self.prefix, name)), name)
        with open(os.path.join(self.prefix, "lib/systemd/system/fnd.service")) as f:
            self.assertIn("ExecStart=/opt/fnd/sbin/fnd\n", f.read())
        # nothing but the address and the state directory is given: the rest is found from where the program is
        # (in a network namespace: as a service its functions are to reach the network, for which it makes a bridge)
        netns = f"fndi{os.getpid()}"
        for words in (["netns", "add", netns], ["-n", netns, "link", "set", "lo", "up"]):
            subprocess.run(["ip", *words], check=True)
        self.addCleanup(subprocess.run, ["ip", "netns", "del", netns], check=True)
        d = Daemon(images=False, netns=netns)
        self.addCleanup(d.remove)
        config = os.path.join(self.dest, "etc/fnd/fnd.json")
        with open(d.log_path, "ab") as log:
            d.process = subprocess.Popen(["nsenter", f"--net=/run/netns/{netns}", os.path.join(self.prefix, "sbin/fnd"), "--listen", f"127.0.0.1:{d.port}", "--state", d.state, "--config", config],
                                         stdout=log, stderr=log, env=d.env, cwd="/")
        wait_until("the installed fnd is ready", d.is_ready)
        helper = os.readlink(f"/proc/{d.pids()['spawnd'][0]}/exe")
        self.assertEqual(helper, os.path.join(self.prefix, "libexec/fnd/fn-spawnd"))
        wait_until("fn-spawnd answers", lambda: d.doctor().get("Network"))
        self.assertEqual(d.doctor()["Network"]["mode"], "nat")
        self.assertIn(f"(network.mode in {config})", [c["Detail"] for c in d.doctor()["Checks"] if c["Name"] == "network"][0])
        within = ["nsenter", f"--net=/run/netns/{netns}"]
        fnctl = within + [os.path.join(self.prefix, "bin/fnctl"), "--endpoint", d.endpoint]
        code = os.path.join(TOP, "rootfs/examples/hello-python")
        subprocess.run(fnctl + ["create", "hello", "--runtime", "python3.11", "--handler", "lambda_function.handler", "--code", code], check=True, capture_output=True)
        out = subprocess.run(fnctl + ["invoke", "hello", '{"name": "installed"}'], check=True, capture_output=True, text=True).stdout
        self.assertIn("Hello, installed!", out)
        names = self.complete(d, "fnctl", "--endpoint", "http", ":", "//127.0.0.1", ":", str(d.port), "invoke", "he")
        self.assertEqual(names, ["hello"])
        self.assertEqual(self.complete(d, "fnctl", "--endpoint", "http", ":", "//127.0.0.1", ":", str(d.port), "create", "x", "--runtime", "python"), ["python3.11"])
        self.assertEqual(self.complete(d, "fnctl", "in"), ["invoke"])
        subprocess.run(fnctl + ["publish", "hello"], check=True, capture_output=True)
        subprocess.run(fnctl + ["alias", "create", "hello", "live", "--version", "1"], check=True, capture_output=True)
        where = ["--endpoint", "http", ":", "//127.0.0.1", ":", str(d.port)]
        self.assertEqual(self.complete(d, "fnctl", *where, "invoke", "hello", "--qualifier", ""), ["1", "live"])
        self.assertEqual(self.complete(d, "fnctl", *where, "delete", "hello", "--qualifier", ""), ["1"])
        self.assertEqual(self.complete(d, "fnctl", *where, "alias", "update", "hello", "l"), ["live"])
        subprocess.run(fnctl + ["queue", "create", "jobs"], check=True, capture_output=True)
        uuid = json.loads(subprocess.run(fnctl + ["--output", "json", "mapping", "create", "hello", "jobs"], check=True, capture_output=True).stdout)["UUID"]
        self.assertEqual(self.complete(d, "fnctl", *where, "queue", "send", ""), ["jobs"])
        self.assertEqual(self.complete(d, "fnctl", *where, "mapping", "create", "hello", ""), ["jobs"])
        self.assertEqual(self.complete(d, "fnctl", *where, "mapping", "update", uuid[:4]), [uuid])
        self.assertEqual(d.stop(), 0)
        wait_until(lambda: f"nothing is left: {d.leftovers()}", lambda: not d.leftovers())
        self.make("uninstall")
        self.assertEqual(self.files(), [])

    def complete(self, daemon, *words):
        """What bash offers for the last word."""
        script = ". \"$COMPLETION\"; COMP_WORDS=(\"$@\"); COMP_CWORD=$(($# - 1)); compopt() { :; }; _fnctl; printf '%s\\n' \"${COMPREPLY[@]}\""
        env = {**os.environ, "PATH": os.path.join(self.prefix, "bin") + ":" + os.environ["PATH"],
               "COMPLETION": os.path.join(self.prefix, "share/bash-completion/completions/fnctl")}
        return subprocess.run(["nsenter", f"--net=/run/netns/{daemon.netns}", "bash", "-c", script, "bash", *words], check=True, capture_output=True, text=True, env=env).stdout.split()

    def test_a_state_directory_out_of_reach_is_named(self):
        self.make("install", "IMAGE_DIR=/nonexistent")
        os.chmod(self.dest, 0o700)
        p = subprocess.run([os.path.join(self.prefix, "sbin/fnd"), "--listen", "127.0.0.1:0", "--state", os.path.join(self.dest, "state")], capture_output=True, text=True)
        self.assertEqual(p.returncode, 1)
        self.assertRegex(p.stderr, "state directory: .*/state cannot be reached by uid")

    def test_its_configuration_is_the_defaults_but_for_the_network(self):
        self.make("install", "IMAGE_DIR=/nonexistent")
        config, default = (json.load(open(p)) for p in (os.path.join(self.dest, "etc/fnd/fnd.json"), os.path.join(TOP, "config/fnd.json")))
        self.assertEqual((config["network"].pop("mode"), default["network"].pop("mode")), ("nat", "loopback"))
        self.assertEqual(config, default)

    def test_another_image_takes_the_place_of_the_last_one(self):
        """Its layers go that no image has any more, each tens of megabytes; those of an image that is not built any more stay with it."""
        images, built = os.path.join(self.prefix, "share/fnd/images"), os.path.join(self.dest, "built")
        os.mkdir(built)
        def install(**bundles):
            for name, layers in bundles.items():
                for layer in layers:
                    open(f"{built}/{layer}", "w").close()
                with open(f"{built}/{name}.json", "w") as f:
                    json.dump({"layers": [{"file": layer} for layer in layers]}, f)
            self.make("install", f"IMAGE_DIR={built}")
            return sorted(os.listdir(images))
        self.assertEqual(install(one=["base.tar", "a.tar"], two=["base.tar", "b.tar"]), ["a.tar", "b.tar", "base.tar", "one.json", "two.json"])
        for name in ("a.tar", "two.json", "b.tar"):
            os.unlink(f"{built}/{name}")
        self.assertEqual(install(one=["base.tar", "c.tar"]), ["b.tar", "base.tar", "c.tar", "one.json", "two.json"])

    def test_a_changed_configuration_stays(self):
        self.make("install", "IMAGE_DIR=/nonexistent")
        config = os.path.join(self.dest, "etc/fnd/fnd.json")
        with open(config, "a") as f:
            f.write("\n")
        self.make("install", "IMAGE_DIR=/nonexistent")
        self.assertIn("kept, since it was changed", self.make("uninstall"))
        self.assertEqual(self.files(), ["etc/fnd/fnd.json"])


if __name__ == "__main__":
    unittest.main()
