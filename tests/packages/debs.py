"""Ruby's gems for functions, from Debian's packages for the Ruby that an image has: rubygems.org is not among the registries that these tests ask."""
import os, shutil, sys

HERE = os.path.dirname(os.path.abspath(__file__))
TOP = os.path.dirname(os.path.dirname(HERE))
sys.path.insert(0, os.path.join(TOP, "rootfs/builder"))
import debian

SUITES = ["trixie", "trixie-updates", "trixie-security"]  # ruby3.3's
# What the image has, or what no gem asks for.
THERE = {"ruby", "ruby3.3", "libruby", "libruby3.3", "ruby-interpreter", "rake", "rubygems-integration", "ruby-rubygems", "ruby-bundler", "bundler", "debconf", "dpkg", "perl", "libc6", "gcc-14-base", "libgcc-s1",
         "libstdc++6", "zlib1g", "tzdata", "libgcrypt20", "libgpg-error0"}
PLACES = ("usr/share/rubygems-integration/all", "usr/share/rubygems-integration/3.3.0", "usr/lib/x86_64-linux-gnu/rubygems-integration/3.3.0")


def suites(home):
    there = debian.Suites(SUITES, os.path.join(home, ".apt"), None, None)
    there.prepare()
    return there


def answers(home):
    """Whether Debian's archive does: ends with its reason (SystemExit) otherwise."""
    there = suites(home)
    if there.age() > debian.FRESH_S:
        there.update(lambda text: None)


def bundled(home, wanted, directory):
    """These packages and what they need, as `bundle install --path vendor/bundle` lays them out for a function; their shared libraries in lib/."""
    there = suites(home)
    root, bundle = os.path.join(directory, ".root"), os.path.join(directory, "vendor/bundle/ruby/3.3.0")
    os.makedirs(root)
    debian.stage(there.download(there.closure(wanted, THERE), os.path.join(home, ".debs"), lambda text: None), root)
    for place in PLACES:
        for part in ("gems", "specifications", "extensions"):
            if os.path.isdir(os.path.join(root, place, part)):
                shutil.copytree(os.path.join(root, place, part), os.path.join(bundle, part), dirs_exist_ok=True)
    if os.path.isdir(os.path.join(root, "usr/lib/ruby/vendor_ruby")):  # those that Debian has not as gems
        shutil.copytree(os.path.join(root, "usr/lib/ruby/vendor_ruby"), os.path.join(directory, "vendor/lib"))
    libraries = os.path.join(root, "usr/lib/x86_64-linux-gnu")
    for name in os.listdir(libraries) if os.path.isdir(libraries) else []:
        if ".so." in name and os.path.isfile(os.path.join(libraries, name)):
            os.makedirs(os.path.join(directory, "lib"), exist_ok=True)
            shutil.copy(os.path.join(libraries, name), os.path.join(directory, "lib", name))
    shutil.rmtree(root)
