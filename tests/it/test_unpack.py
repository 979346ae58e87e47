"""fn-unpack as fn-spawnd starts it: a tree named for what an archive is has what that archive has, whoever hands it over."""
import ctypes, errno, hashlib, io, os, struct, subprocess, tarfile, tempfile, unittest
from harness import *

LIBC = ctypes.CDLL(None, use_errno=True)
UID = 70000
EBADMSG = 74


def tar_of(files):
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.USTAR_FORMAT) as t:
        for name, content in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            t.addfile(info, io.BytesIO(content))
    return out.getvalue()


class Unpack(unittest.TestCase):
    def unpack(self, archive, *options):
        """(errno of the result, names that were made)"""
        with tempfile.TemporaryDirectory(dir="/var/tmp") as tmp, tempfile.TemporaryFile() as f:
            tree = os.path.join(tmp, "tree")
            os.mkdir(tree)
            os.chown(tree, UID, UID)
            f.write(archive)
            f.flush()
            mount = self.call(428, -100, tree.encode(), 1 | os.O_CLOEXEC)  # open_tree, OPEN_TREE_CLONE
            return self.run_it(f, mount, options)[0], sorted(os.listdir(tree))

    def call(self, *args):
        r = LIBC.syscall(*args)
        self.assertGreaterEqual(r, 0, (args, os.strerror(ctypes.get_errno())))
        return r

    def run_it(self, archive, mount, options):
        """(errno, FN_ERR_PACKAGE?, words) of its result; closes mount."""
        archive.seek(0)
        r, w = os.pipe()
        high = [os.dup(fd) for fd in (archive.fileno(), mount, w)]
        high = [self.above(fd) for fd in high]
        pid = os.posix_spawn(os.path.join(BUILD, "fn-unpack"), ["fn-unpack", "--uid", str(UID), "--max-bytes", "1000000", "--max-entries", "100", "--prefix", "", *options],
                             {"LC_CTYPE": "C.UTF-8"}, file_actions=[(os.POSIX_SPAWN_DUP2, fd, 3 + i) for i, fd in enumerate(high)])
        for fd in (mount, w, *high):
            os.close(fd)
        with os.fdopen(r, "rb") as result:
            answer = result.read()
        os.waitpid(pid, 0)
        return struct.unpack_from("i", answer)[0], struct.unpack_from("i", answer, 260)[0] == 5, answer[52:260].split(b"\0")[0].decode(errors="replace")

    @staticmethod
    def above(fd):
        import fcntl
        high = fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, 20)
        os.close(fd)
        return high


class Digest(Unpack):
    def test_of_an_image(self):
        archive = tar_of({"a": b"x" * 5000, "b": b"y"})
        right = hashlib.sha256(archive).hexdigest()
        self.assertEqual(self.unpack(archive, "--trusted-image", "--sha256", right), (0, ["a", "b"]))
        for other in (archive.replace(b"y", b"z", 1), archive + b"\0", archive[:-512]):
            self.assertEqual(self.unpack(other, "--trusted-image", "--sha256", right)[0], EBADMSG)
            self.assertEqual(self.unpack(other, "--trusted-image")[0], 0, "nothing else is wrong with it")

    def test_of_a_package(self):
        archive = make_zip({"a": "x", "b": "y"})
        right = hashlib.sha256(archive).hexdigest()
        self.assertEqual(self.unpack(archive, "--sha256", right), (0, ["a", "b"]))
        other = make_zip({"a": "x", "b": "z"})
        self.assertEqual(self.unpack(other, "--sha256", right), (EBADMSG, []))
        self.assertEqual(self.unpack(other), (0, ["a", "b"]))

    def test_directories_that_no_entry_names_count_too(self):
        deep = make_zip({"d/" * 255 + "f": "x"})
        self.assertEqual(self.unpack(deep, "--max-entries", "256"), (0, ["d"]))
        self.assertEqual(self.unpack(deep, "--max-entries", "255")[0], errno.E2BIG)
        self.assertEqual(self.unpack(make_zip({"d/" * 256 + "f": "x"}), "--max-entries", "1000")[0], errno.EINVAL)


class FileSystems(Unpack):
    """What a file system does not take is the package's fault, or the disk's."""
    def file_system(self, kind, **options):
        """The descriptor of a mount that nobody else sees, and that is UID's."""
        context = self.call(430, kind.encode(), 1)  # fsopen
        try:
            for key, value in options.items():
                self.call(431, context, 1, key.encode(), value.encode(), 0)  # fsconfig, FSCONFIG_SET_STRING
            self.call(431, context, 6, None, None, 0)  # FSCONFIG_CMD_CREATE
            mount = self.call(432, context, 1, 0)  # fsmount
        finally:
            os.close(context)
        os.chown(f"/proc/self/fd/{mount}", UID, UID)
        return mount

    def result(self, archive, mount, *options):
        with tempfile.TemporaryFile() as f:
            f.write(archive)
            f.flush()
            return self.run_it(f, mount, options)

    def archives(self, name, link=None, size=10):
        """A package and a container image's layer with one file, or a symbolic link, of that name."""
        out = io.BytesIO()
        with tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT) as t:
            info = tarfile.TarInfo(name)
            info.type, info.linkname, info.size = (tarfile.SYMTYPE, link, 0) if link else (tarfile.REGTYPE, "", size)
            t.addfile(info, io.BytesIO(b"x" * info.size))
        z = zipfile.ZipInfo(name, (2023, 1, 1, 0, 0, 0))
        z.create_system, z.external_attr = 3, (0o120777 if link else 0o100644) << 16
        package = io.BytesIO()
        with zipfile.ZipFile(package, "w") as f:
            f.writestr(z, link or b"x" * size)
        return (package.getvalue(), ()), (out.getvalue(), ("--layer",))

    def test_what_it_cannot_hold(self):
        """ext4 with blocks of 1 KB has no symbolic link of 1,500 bytes."""
        with tempfile.NamedTemporaryFile(dir="/var/tmp") as image:
            image.truncate(4 << 20)
            subprocess.run(["mke2fs", "-q", "-t", "ext4", "-b", "1024", "-O", "^has_journal", image.name], check=True, env={"PATH": "/usr/sbin:/sbin:/usr/bin"})
            for archive, options in self.archives("link", "t" * 1500):
                device = subprocess.run(["losetup", "-f", "--show", image.name], check=True, stdout=subprocess.PIPE, env={"PATH": "/usr/sbin:/sbin:/usr/bin"}).stdout.decode().strip()
                try:
                    mount = self.file_system("ext4", source=device)
                finally:
                    subprocess.run(["losetup", "-d", device], check=True, env={"PATH": "/usr/sbin:/sbin:/usr/bin"})  # goes with the mount
                self.assertEqual(self.result(archive, mount, *options), (errno.EINVAL, True, "link: a symbolic link that cannot be made: File name too long"), options)

    def test_a_full_disk(self):
        for archive, options in self.archives("file", size=500000):
            self.assertEqual(self.result(archive, self.file_system("tmpfs", size="100k"), *options), (errno.ENOSPC, False, "file: a file that cannot be written"), options)
        for archive, options in self.archives("a/b/c/d/file"):
            self.assertEqual(self.result(archive, self.file_system("tmpfs", nr_inodes="3"), *options), (errno.ENOSPC, False, "a/b/c: a directory that cannot be made"), options)


if __name__ == "__main__":
    unittest.main()
