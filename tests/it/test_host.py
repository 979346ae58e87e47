"""What building and running take from the host: the system's own tools, whatever stands before them on PATH; packages that Debian 12 and 13 have."""
import os, re, subprocess, tempfile, unittest
from harness import BUILD, TOP

OTHERS = ["python3", "python", "pip", "node", "npm", "tar", "awk", "gcc", "cc", "ar", "ld", "pkg-config", "find", "curl", "dpkg-query", "dpkg-deb", "apt-cache", "apt-get", "sed", "sha256sum", "uname"]


def bogus_tools(directory):
    """A PATH as with a pyenv, a conda or an nvm; what it finds first only says that it was called, and fails."""
    for name in OTHERS:
        path = os.path.join(directory, name)
        with open(path, "w") as f:
            f.write(f'#!/bin/sh\necho {name} "$@" >>{directory}/called\nexit 97\n')
        os.chmod(path, 0o755)
    return directory + ":" + os.environ["PATH"]


class Path(unittest.TestCase):
    def test_other_tools_of_the_same_names_are_not_used(self):
        with tempfile.TemporaryDirectory() as d, tempfile.TemporaryDirectory() as bogus:
            env = dict(os.environ, PATH=bogus_tools(bogus))
            build = os.path.join(d, "build")
            for argv in (["make", "-s", "-j2", f"B={build}", "lib-base", "guest", "layers"], ["scripts/deps.sh", "--run"], ["rootfs/build-image", "--help"], ["tests/run", "layers"]):
                r = subprocess.run(argv, cwd=TOP, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=600)
                self.assertEqual(r.returncode, 0, (argv, r.stdout))
            self.assertFalse(os.path.exists(bogus + "/called"))

    def test_no_script_takes_its_interpreter_from_path(self):
        files = subprocess.run(["git", "ls-files"], cwd=TOP, stdout=subprocess.PIPE, text=True, check=True).stdout.splitlines()
        found = []
        for name in files:
            with open(os.path.join(TOP, name), "rb") as f:
                first = f.readline(200)
            if re.match(rb"#!\s*/usr/bin/env\b", first) and not name.startswith("rootfs/examples/"):
                found.append(name)
        self.assertEqual(found, [])



class Model(unittest.TestCase):
    def test_the_tables_are_what_the_pinned_botocore_gives(self):
        r = subprocess.run([os.path.join(TOP, "scripts/lambda-model"), "--check"], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=300)
        if r.returncode == 2:
            self.skipTest(r.stdout.strip())
        self.assertEqual((r.returncode, r.stdout), (0, ""))

class Quickstart(unittest.TestCase):
    def test_it_shows_a_cold_start_from_the_stock_and_what_one_without_took(self):
        if BUILD != os.path.join(TOP, "build"):
            self.skipTest("quickstart builds without sanitizers: test_host of the plain build runs it")
        with tempfile.TemporaryDirectory() as bogus:
            r = subprocess.run(["scripts/quickstart.sh"], cwd=TOP, env=dict(os.environ, PATH=bogus_tools(bogus)), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=900)
            self.assertEqual(r.returncode, 0, r.stdout)
            self.assertFalse(os.path.exists(bogus + "/called"))
        self.assertRegex(r.stdout, r"(?m)^==> First invocation: cold, .*\(with none, the first one has just taken [\d.]+ ms here\)$")
        cold, warm = r.stdout.split("==> First invocation")[1].split("==> Second invocation")
        self.assertIn("runtime started ahead", cold)
        self.assertIn('"Hello, cold!"', cold)
        self.assertNotIn("Cold Start", warm)
        self.assertRegex(r.stdout, r"==> It works \(\d+ s in all\)")
