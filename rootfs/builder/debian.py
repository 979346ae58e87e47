"""Debian packages of the suites that a recipe names, whatever the host's own release.

apt has a configuration, lists and status of its own below the output directory: of the host's it takes the mirror's address, proxies and
credentials for it (Acquire::*, auth.conf), and the archive's keys (debian-archive-keyring). A lock file beside the recipe, packages.lock,
names what an image was made of: one line `name version architecture sha256` each. It applies while the recipe asks for the same packages.
"""
import glob, hashlib, os, re, subprocess, sys, time

KEYRINGS = ("/usr/share/keyrings/debian-archive-keyring.pgp", "/usr/share/keyrings/debian-archive-keyring.gpg")
FRESH_S = 12 * 3600  # lists younger than this are new enough where no lock says what is wanted
SUITE = re.compile(r"^(oldoldstable|oldstable|stable|testing|unstable|sid|experimental|stretch|buster|bullseye|bookworm|trixie|forky|duke)"
                   r"(-security|-updates|-backports|-proposed-updates|/updates)?$")  # tells Debian's sources from its derivatives'
UNRELEASED = {"forky", "testing", "sid", "unstable", "experimental"}
ENV = {**os.environ, "LC_ALL": "C.UTF-8", "PATH": "/usr/sbin:/usr/bin:/sbin:/bin"}


def fail(text):
    sys.exit(f"build-image: {text}")


def run(argv, **kw):
    try:
        return subprocess.run(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **{"env": ENV, **kw})
    except FileNotFoundError:
        fail(f"{argv[0]} is missing: Debian images are made with apt-get, apt-cache and dpkg-deb")


def file_sha256(path):
    h = hashlib.sha256()
    with open(path, "rb") as f:
        while chunk := f.read(1 << 20):
            h.update(chunk)
    return h.hexdigest()


def host_mirrors():
    """{"": address of Debian's archive, "-security": of its security archive}, as far as the host's apt sources name them."""
    found = {}
    # apt reads its sources itself, in each of their formats; without lists, which need not be there
    r = run(["/usr/bin/apt-get", "indextargets", "--no-release-info", "--format", "$(REPO_URI) $(RELEASE) $(COMPONENT)", "Created-By: Packages"])
    for line in r.stdout.splitlines():
        uri, suite, component = (line.split(" ") + ["", ""])[:3]
        m = SUITE.match(suite)
        if m and component == "main" and not uri.startswith(("cdrom:", "file:", "copy:")):
            found.setdefault("-security" if m.group(2) in ("-security", "/updates") else "", uri.rstrip("/"))
    return found


def mirrors(option, security_option):
    main, security = option or os.environ.get("FND_DEBIAN_MIRROR"), security_option or os.environ.get("FND_DEBIAN_SECURITY_MIRROR")
    if not main:
        found = host_mirrors()
        main, security = found.get(""), security or found.get("-security")
    if not main:
        fail("apt has no source of Debian's here to take the mirror's address from: give it as --mirror URL or FND_DEBIAN_MIRROR=URL "
             "(what stands before dists/), and the security archive's as --security-mirror or FND_DEBIAN_SECURITY_MIRROR")
    return main.rstrip("/"), (security or re.sub(r"/debian/*$", "", main) + "/debian-security").rstrip("/")


def keyring():
    given = os.environ.get("FND_DEBIAN_KEYRING")
    for path in [given] if given else KEYRINGS:
        if os.path.exists(path):
            return path
    fail(f"{given or KEYRINGS[1]} is missing: the suites' signatures are checked with it (package debian-archive-keyring, or FND_DEBIAN_KEYRING=FILE)")


class Suites:
    """apt, asked about these suites alone."""

    def __init__(self, suites, dir, mirror, security_mirror):
        self.suites, self.mirror, self.security = suites, mirror, security_mirror
        self.architecture = run(["/usr/bin/dpkg", "--print-architecture"]).stdout.strip()
        self.dir = os.path.join(os.path.abspath(dir), "-".join(suites).replace("/", "_"))
        self.stamp = os.path.join(self.dir, "updated")
        self.ready = False

    def prepare(self):
        if self.ready:
            return
        main, security = mirrors(self.mirror, self.security)
        keys = keyring()
        for d in ("lists/partial", "cache/archives/partial"):
            os.makedirs(os.path.join(self.dir, d), exist_ok=True)
        host = [line for line in run(["/usr/bin/apt-config", "dump"]).stdout.splitlines()
                if line.startswith("Acquire::") and not re.match(r"Acquire::(Languages|GzipIndexes|IndexTargets|Check|Allow|CompressionTypes)", line)]
        ours = {"Dir::Etc::main": "/dev/null", "Dir::Etc::parts": "/dev/null", "Dir::Etc::sourceparts": "/dev/null",
                "Dir::Etc::preferences": "/dev/null", "Dir::Etc::preferencesparts": "/dev/null", "Dir::Etc::trusted": "/dev/null",
                "Dir::Etc::trustedparts": "/dev/null", "Dir::Etc::sourcelist": f"{self.dir}/sources.list", "Dir::State": self.dir,
                "Dir::State::lists": f"{self.dir}/lists", "Dir::State::status": f"{self.dir}/status", "Dir::Cache": f"{self.dir}/cache",
                "APT::Architecture": self.architecture, "APT::Sandbox::User": "root", "Acquire::Languages": "none",
                "Acquire::IndexTargets::deb::Contents-deb::DefaultEnabled": "false", "APT::Update::Error-Mode": "any"}
        if not UNRELEASED.isdisjoint(self.suites):  # a mirror may hold still what is made anew every day; packages.lock has the digests
            ours["Acquire::Check-Valid-Until"] = "false"
        sources = "".join(f"deb [arch={self.architecture} signed-by={keys}] {security if s.endswith(('-security', '/updates')) else main} {s} main\n"
                          for s in self.suites)
        for name, text in (("sources.list", sources), ("status", ""), ("apt.conf", "\n".join(host + [f'{k} "{v}";' for k, v in ours.items()]) + "\n")):
            path = os.path.join(self.dir, name)
            if name == "sources.list" and os.path.exists(path) and open(path).read() != text and os.path.exists(self.stamp):
                os.unlink(self.stamp)  # another mirror
            with open(path, "w") as f:
                f.write(text)
        self.env = {**ENV, "APT_CONFIG": os.path.join(self.dir, "apt.conf")}
        self.ready = True

    def age(self):
        return time.time() - os.path.getmtime(self.stamp) if os.path.exists(self.stamp) else float("inf")

    def update(self, say):
        self.prepare()
        say(f"reading the package lists of {', '.join(self.suites)}")
        for attempt in (1, 2, 3):
            r = run(["/usr/bin/apt-get", "-qq", "update"], env=self.env)
            if r.returncode == 0:
                open(self.stamp, "w").close()
                return
            if re.search(r"NO_PUBKEY|not signed|Missing key|EXPKEYSIG|REVKEYSIG|BADSIG", r.stderr):
                fail(f"{keyring()} does not vouch for {', '.join(self.suites)}: a newer debian-archive-keyring is needed, "
                     f"or the mirror is not Debian's. apt-get says:\n{r.stderr.strip()}")
            time.sleep(attempt)
        fail(f"the package lists of {', '.join(self.suites)} cannot be read. apt-get says:\n{r.stderr.strip()}")

    def show(self, names):
        """Fields of these packages, each `name` (the newest) or `name=version`; one that is not there is left out."""
        self.prepare()
        text = run(["/usr/bin/apt-cache", "show", "--no-all-versions"] + list(names), env=self.env).stdout
        for stanza in text.split("\n\n"):
            f = dict(re.findall(r"^([A-Za-z0-9-]+): (.*)$", stanza, re.M))
            if "Package" in f:
                yield f

    def closure(self, wanted, exclude):
        """{package: (version, architecture, sha256)} of all that is needed, the newest; of alternatives the first one there is."""
        found, queue, asked = {}, list(wanted), set(wanted)
        while queue:
            # a package that only others provide has no stanza and is left out: recipes name the one they mean
            queue_next = []
            for f in self.show(queue):
                if f["Package"] in found:
                    continue
                found[f["Package"]] = (f["Version"], f["Architecture"], f["SHA256"])
                for field in ("Pre-Depends", "Depends"):
                    for group in filter(None, f.get(field, "").split(",")):
                        first = group.split("|")[0].strip().split(" ")[0].split(":")[0]
                        if first not in exclude and first not in found:
                            queue_next.append(first)
            missing = [p for p in wanted if p not in found]
            if missing:
                fail(f"{', '.join(self.suites)}: no such package: {', '.join(missing)}")
            queue = sorted(set(p for p in queue_next if p not in found and p not in asked))
            asked.update(queue)
        return found

    def download(self, packages, cache, say):
        """Paths of the packages' files, in order of their names, each with its digest checked."""
        self.prepare()
        os.makedirs(cache, exist_ok=True)
        todo = [f"{p}={v[0]}" for p, v in sorted(packages.items()) if not cached(cache, p, v)]
        if todo:
            say(f"downloading {len(todo)} packages")
            for attempt in (1, 2, 3):
                r = run(["/usr/bin/apt-get", "-qq", "download"] + todo, cwd=cache, env=self.env)
                if r.returncode == 0:
                    break
                time.sleep(attempt)
            else:
                fail(f"packages cannot be downloaded. apt-get says:\n{r.stderr.strip()}")
        paths = []
        for p, v in sorted(packages.items()):
            path = cached(cache, p, v)
            if not path:
                fail(f"{p} {v[0]} as the mirror has it now is not what is wanted (SHA-256 {v[2]})")
            paths.append(path)
        return paths


def cached(cache, package, v):
    for path in glob.glob(os.path.join(cache, f"{package}_{v[0].replace(':', '%3a')}_*.deb")):
        if file_sha256(path) == v[2]:
            return path
        os.unlink(path)
    return None


# --- the lock -----------------------------------------------------------------------------------------------------------------------
HEADER = "# What this image is made of: name version architecture sha256. Written by rootfs/build-image --update-lock.\n"


def lock_key(recipe, architecture):
    wanted = [architecture, recipe["suites"], sorted(recipe["packages"]), sorted(recipe.get("exclude", []))]
    return "# of the request " + hashlib.sha256(repr(wanted).encode()).hexdigest()[:16] + "\n"


def read_lock(path, key):
    """None: there is none, or the recipe has changed since."""
    if not os.path.exists(path):
        return None
    with open(path) as f:
        lines = f.readlines()
    if key not in lines:
        return None
    return {n: (v, a, s) for n, v, a, s in (line.split() for line in lines if not line.startswith("#"))}


def write_lock(path, key, packages):
    with open(path, "w") as f:
        f.write(HEADER + key + "".join(f"{n} {v} {a} {s}\n" for n, (v, a, s) in sorted(packages.items())))


def resolve(suites, recipe, lock_path, cache, mode, say):
    """The packages to build from. mode: "" = the lock's where the mirror still has them, "locked" = those or none, "update" = the newest, which
    become the lock's."""
    key = lock_key(recipe, suites.architecture)
    wanted, exclude = recipe["packages"], set(recipe.get("exclude", []))
    if mode == "update":
        suites.update(say)
        packages = suites.closure(wanted, exclude)
        write_lock(lock_path, key, packages)
        say(f"{len(packages)} packages are in {os.path.relpath(lock_path)}")
        return packages
    locked = read_lock(lock_path, key)
    if locked is None:
        if mode == "locked":
            fail(f"{os.path.relpath(lock_path)} is not of this recipe and processor: run rootfs/build-image --update-lock")
        say("no packages.lock for this recipe and processor: taking the newest packages")
        if suites.age() > FRESH_S:
            suites.update(say)
        return suites.closure(wanted, exclude)
    absent = {p: v for p, v in locked.items() if not cached(cache, p, v)}
    def gone():
        have = {(f["Package"], f["Version"], f["SHA256"]) for f in suites.show(f"{p}={v[0]}" for p, v in absent.items())}
        return [p for p, v in absent.items() if (p, v[0], v[2]) not in have]
    if absent and (suites.age() == float("inf") or gone()):
        suites.update(say)
    lost = gone() if absent else []
    if not lost:
        return locked
    if mode == "locked":
        fail("the mirror no longer has, as packages.lock wants them: " + ", ".join(f"{p} {locked[p][0]}" for p in sorted(lost)) +
             "; run rootfs/build-image --update-lock")
    packages = suites.closure(wanted, exclude)
    for p in sorted(set(locked) | set(packages)):
        old, new = locked.get(p, ("none",))[0], packages.get(p, ("none",))[0]
        if old != new:
            say(f"note: {p} {new} instead of the lock's {old}")
    say("note: the mirror no longer has all that packages.lock names; taking the newest of everything (--update-lock makes them the lock's)")
    return packages


def stage(debs, root):
    """Unpacks; nothing of theirs is run."""
    for d in ("usr/bin", "usr/sbin", "usr/lib", "usr/lib64"):
        os.makedirs(os.path.join(root, d))
    for d in ("bin", "sbin", "lib", "lib64"):
        os.symlink(f"usr/{d}", os.path.join(root, d))
    for deb in debs:  # through tar, so that the merged /usr links stay
        fs = subprocess.Popen(["/usr/bin/dpkg-deb", "--fsys-tarfile", deb], stdout=subprocess.PIPE)
        subprocess.run(["/usr/bin/tar", "-x", "--keep-directory-symlink", "--no-same-owner", "-C", root], stdin=fs.stdout, check=True, env=ENV)
        if fs.wait():
            fail(f"{deb} cannot be read")
