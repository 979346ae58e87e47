"""The documents name what there is: keys with their defaults and bounds, commands, options, targets, files. Text only; no daemon runs."""
import glob, json, os, re, subprocess, unittest
from harness import BUILD, TOP


def read(path):
    with open(os.path.join(TOP, path)) as f:
        return f.read()


README, FND, FNCTL, CONFIG = read("README.md"), read("cmd/fnd/fnd.8"), read("cmd/fnctl/fnctl.1"), read("cmd/fnd/config.c")


def rows(text):
    """{first cell: the other cells} of the tables whose first cell is in backticks."""
    return {m[1]: [c.strip() for c in m[2].split("|")] for m in re.finditer(r"^\| `([\w.]+)` \|(.*)\|$", text, re.M)}


def section(name):
    return re.search(rf"^## {name}$(.*?)(?=^## |\Z)", README, re.M | re.S)[1]


def man_words(text):
    """What a manual page sets as commands: `.Cm a , b`, `.It Cm a`."""
    return set(re.findall(r"[\w-]+", " ".join(re.findall(r"\bCm ([^\n]*)", text))))


def integer(text):
    return {"INT32_MAX": 2**31 - 1, "INT64_MAX": None}[text] if text.startswith("INT") else eval(text, {"__builtins__": {}})  # "16 << 20"


def config_keys():
    """{"log.files": ("NUMBER", min, max)} of the tables in config.c, and what is parsed apart."""
    keys = {"credentials": None, "roles": None, "hosts": None, "platform_endpoint": None, "deprecated_runtimes": None, "network.mode": None, "tmp.mode": None, "log.level": None, "keep_alive.policy": None, "s3.style": None, "registries.timeout_s": None, "registries.auth_file": None, "registries.ca_file": None, "registries.hosts": None, "provisioned_scaling": None}
    keys.update({f"gateway.{name}": None for name in re.findall(r'fn_streq\(key, "(\w+)"\)', read("cmd/fnd/config_gateway.c"))})
    keys.update({f"events.{name}": None for name in re.findall(r'^\t\{"(\w+)", is_', read("cmd/fnd/config_events.c"), re.M)})
    for prefix, table in (("", "keys"), ("network.", "net_keys"), ("log.", "log_keys"), ("keep_alive.", "keep_keys"), ("tmp.", "tmp_keys"), ("s3.", "s3_keys")):
        body = re.search(rf"\b{table}\[\] = {{(.*?)^}}", CONFIG, re.M | re.S)[1]
        for name, kind, low, high in re.findall(r'{"(\w+)", (\w+), AT\(\w+\), (\w+), (\w+)}', body):
            keys[prefix + name] = (kind, integer(low), integer(high))
    return keys


class Configuration(unittest.TestCase):
    def test_the_readme_s_table_has_every_key_and_no_other(self):
        keys = config_keys()
        self.assertGreater(len(keys), 25)
        table = section("Configuration").split("**config/runtimes.json**")[0]
        self.assertEqual(set(rows(table)), set(keys))

    def test_bounds_and_defaults(self):
        table, default = rows(section("Configuration").split("**config/runtimes.json**")[0]), json.loads(read("config/fnd.json"))
        built_in = dict(re.findall(r"\.(\w+) = ([^,\n]+),", CONFIG)) | dict(re.findall(r'set\(&c->(\w+), ("[^"]*")\)', CONFIG))
        for key, about in config_keys().items():
            group, name = ([None] + key.split("."))[-2:]
            said = table[key][0].strip("`").strip('"')
            if key not in ("runtimes", "images_dir", "tmp.dir", "s3.region", "s3.credentials_file", "s3.ca_file", "registries.auth_file", "registries.ca_file"):  # where the program is, the state; others, or nothing
                value = (default[group] if group else default)[name]
                self.assertEqual(said, json.dumps(value) if isinstance(value, bool) else str(value), f"{key}: the default in README.md and config/fnd.json")
            if not about:
                continue
            member = {"log.max_bytes": "log_max_bytes", "log.files": "log_files", "log.total_mb": "log_total_mb", "keep_alive.bin_s": "keep_bin_s", "keep_alive.head_percent": "keep_head",
                      "keep_alive.tail_percent": "keep_tail", "keep_alive.margin_percent": "keep_margin", "keep_alive.samples": "keep_samples", "tmp.disk_mb": "tmp_disk_mb", "s3.timeout_s": "s3_timeout_s", "s3.region": "s3_region"}.get(key, name)
            if about[0] == "NUMBER":
                self.assertEqual(said, str(integer(built_in.get(member, "0"))), f"{key}: the default in README.md and config.c")
                self.assertEqual(table[key][1], f"from {about[1]}" if about[2] is None else f"{about[1]}..{about[2]}", f"{key}: bounds")
            elif member in built_in:
                self.assertEqual(said, built_in[member].strip('"'), f"{key}: the default in README.md and config.c")

    def test_the_manual_has_every_key(self):
        words = man_words(FND)
        self.assertEqual([k for k in config_keys() if k.split(".")[-1] not in words], [])

    def test_runtimes_json(self):
        known = re.findall(r'"(\w+)"', re.search(r"known\[\] = {(.*?)}", read("lib/image/runtimes.c"), re.S)[1])
        table = section("Configuration").split("**config/runtimes.json**")[1]
        self.assertEqual(set(rows(table)), set(known))
        self.assertEqual([k for k in known if k not in man_words(FND)], [])

    def test_recipes(self):
        text = re.search(r"A recipe is a directory with recipe.json:\n(.*?)^and files/", read("rootfs/build-image"), re.M | re.S)[1]
        known = set(re.findall(r"^  (\w+) ", text, re.M))
        cells = re.findall(r"^\| (`\w+`(?:, `\w+`)*) \|", section("Base images and runtimes"), re.M)  # what belongs together has one row
        self.assertEqual(set(re.findall(r"\w+", " ".join(cells))), known)
        for path in glob.glob(os.path.join(TOP, "rootfs/*/recipe.json")):
            self.assertEqual(set(json.loads(read(path))) - known, set(), path)

    def test_images_that_are_built_by_default(self):
        text = read("mk/images.mk")
        quick = re.search(r"^QUICKSTART_IMAGES := (.*)$", text, re.M)[1].split()
        every = quick + [w for w in re.search(r"^IMAGES := (.*)$", text, re.M)[1].split() if not w.startswith("$")]
        said = re.search(r"make images +# ([^:]*):", README)[1].split(", ")
        self.assertEqual(sorted(said), sorted(every))


class Commands(unittest.TestCase):
    VERBS = {"mapping": ("create", "list", "get", "update", "delete"), "events": ("tail",), "async": ("status", "list", "show", "replay", "purge"), "alias": ("create", "update", "get", "list", "delete"), "layer": ("publish", "import", "list", "get", "delete"), "concurrency": ("put", "get", "delete", "list"), "queue": ("create", "list", "send", "receive", "purge", "delete", "attributes"), "url": ("create", "get", "list", "delete")}

    def help(self, program, *args):
        return subprocess.run([os.path.join(BUILD, program), *args, "--help"], check=True, capture_output=True, text=True).stdout

    def commands(self):
        found = re.findall(r"^  ([a-z]+) +", self.help("fnctl").split("\n\nOptions")[0], re.M)
        self.assertGreater(len(found), 10)
        return found

    def options(self, command):
        return set(re.findall(r"^  (?:-\w, )?--([a-z0-9-]+)", self.help("fnctl", command), re.M)) | set(re.findall(r"\[--([a-z0-9-]+)", self.help("fnctl", command)))

    def complete(self, *words):
        script = '. "$0"; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); compopt() { :; }; fnctl() { :; }; _fnctl; echo "${COMPREPLY[@]}"'
        out = subprocess.run(["bash", "-c", script, os.path.join(TOP, "cmd/fnctl/fnctl.bash"), "fnctl", *words], check=True, capture_output=True, text=True).stdout
        return set(out.split())

    def test_every_command_is_in_the_manual_the_readme_and_the_completion(self):
        synopsis = FNCTL.split(".Sh DESCRIPTION")[0]
        for c in self.commands():
            self.assertIn(c, man_words(synopsis), "fnctl(1), SYNOPSIS")
            self.assertTrue(re.search(rf"fnctl {c}\b", README), f"fnctl {c}: README.md")
        self.assertEqual(self.complete(""), set(self.commands()))

    def test_every_option_is_in_the_manual(self):
        said = set(re.findall(r"Fl Fl ([a-z0-9-]+)", FNCTL))
        for path in glob.glob(os.path.join(TOP, "cmd/fnctl/*.c")):
            options = re.findall(r'{"([a-z0-9-]+)", (?:no|required|optional)_argument', read(path))
            self.assertEqual(set(options) - said, set(), path)

    def test_the_completion_has_a_command_s_options_and_no_other(self):
        for c in self.commands():
            verbs = self.VERBS.get(c, ("",))
            offered = set().union(*(self.complete(c, *([v] if v else []), "--") for v in verbs))
            self.assertEqual(offered - {"--endpoint", "--region", "--output", "--help"}, {"--" + o for o in self.options(c)}, c)
        for c, verbs in self.VERBS.items():
            self.assertEqual({w for w in self.complete(c, "") if not w.startswith("--")}, set(verbs))

    def test_fnd_s_options(self):
        options = set(re.findall(r"--([a-z-]+)", self.help("fnd")))
        self.assertGreater(len(options), 4)
        self.assertEqual(options, set(re.findall(r"Fl Fl ([a-z-]+)", FND)))


class Make(unittest.TestCase):
    OWN = {"all", "deps-quiet", "unit-build", "fuzz-build", "bench-build", "fixtures", "FORCE"}  # parts of others

    @classmethod
    def setUpClass(cls):
        text = "\n".join(read(os.path.relpath(p, TOP)) for p in [os.path.join(TOP, "Makefile")] + glob.glob(os.path.join(TOP, "mk/*.mk")))
        cls.targets = set(" ".join(re.findall(r"^\.PHONY: (.*)$", text, re.M)).split())
        env = {k: v for k, v in os.environ.items() if k not in ("MAKEFLAGS", "MFLAGS", "MAKELEVEL")}
        cls.help = subprocess.run(["make", "-s", "--no-print-directory", "-C", TOP, "help"], check=True, capture_output=True, text=True, env=env).stdout

    def named(self, text):
        """`make x`, `make x / y`."""
        out = set()
        for m in re.findall(r"\bmake ([a-z-]+(?: / [a-z-]+)*)(?=[\s`\[;&:,.)]|$)", text, re.M):
            out |= set(m.split(" / "))
        return out

    def test_every_target_is_in_make_help(self):
        self.assertGreater(len(self.targets), 15)
        self.assertEqual(self.targets - self.OWN - self.named(self.help), set())

    def test_what_help_and_the_readme_name_is_there(self):
        self.assertEqual(self.named(self.help) - self.targets, set())
        code = "\n".join(re.findall(r"^    make .*$|`make [^`]*`", README, re.M))
        self.assertGreater(len(self.named(code)), 5)
        self.assertEqual(self.named(code) - self.targets, set())


class Paths(unittest.TestCase):
    def test_links(self):
        anchors = {re.sub(r"[^\w -]", "", h).lower().replace(" ", "-") for h in re.findall(r"^#+ (.*)$", README, re.M)}
        links = re.findall(r"\[[^\]]+\]\(([^)]+)\)", README)
        self.assertGreater(len(links), 3)
        for link in links:
            if link.startswith("#"):
                self.assertIn(link[1:], anchors)
            elif "://" not in link:
                self.assertTrue(os.path.exists(os.path.join(TOP, link.split("#")[0])), link)

    def test_paths(self):
        paths = [p.rstrip(".") for p in re.findall(r"(?<![\w/.-])((?:lib|cmd|tests|rootfs|scripts|config|mk)/[\w./-]*)", README) if "NAME" not in p]
        self.assertGreater(len(paths), 30)
        self.assertEqual([p for p in paths if not os.path.exists(os.path.join(TOP, p))], [])

    def test_files_of_the_guide(self):
        """A file's name without a folder belongs to the folder that was named last."""
        there = {os.path.basename(f) for f in glob.glob(os.path.join(TOP, "**/*.[chj]*"), recursive=True)} | {os.path.basename(f) for f in glob.glob(os.path.join(TOP, "**/*.py"), recursive=True)}
        guide = section("The source, in reading order")
        for path, more in re.findall(r"\*\*((?:lib|cmd)/[\w/-]+)/\w+\.[ch]((?:, \w+\.[ch])*)\*\*", guide):
            for name in more.split(", ")[1:]:
                self.assertTrue(os.path.exists(os.path.join(TOP, path, name)), f"{path}/{name}")
        self.assertEqual([f for f in re.findall(r"(?<![\w./-])[a-z][\w-]*\.(?:c|h|js|py)\b", README) if f not in there], [])

    def test_every_folder_of_lib_is_in_the_guide(self):
        guide = section("The source, in reading order")
        self.assertEqual([d for d in sorted(os.listdir(os.path.join(TOP, "lib"))) if f"lib/{d}" not in guide], [])


if __name__ == "__main__":
    unittest.main()
