"""fn-unpack as fn-spawnd starts it: a tree named for what an archive is has what that archive has, whoever hands it over."""
import ctypes, errno, hashlib, io, os, struct, tarfile, tempfile, unittest
from harness import *

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


class Digest(unittest.TestCase):
    def unpack(self, archive, *options):
        """(errno of the result, names that were made)"""
        libc = ctypes.CDLL(None, use_errno=True)
        with tempfile.TemporaryDirectory(dir="/var/tmp") as tmp, tempfile.TemporaryFile() as f:
            tree = os.path.join(tmp, "tree")
            os.mkdir(tree)
            os.chown(tree, UID, UID)
            f.write(archive)
            f.flush()
            mount = libc.syscall(428, -100, tree.encode(), 1 | os.O_CLOEXEC)  # open_tree, OPEN_TREE_CLONE
            self.assertGreaterEqual(mount, 0, os.strerror(ctypes.get_errno()))
            r, w = os.pipe()
            high = [os.dup(fd) for fd in (f.fileno(), mount, w)]
            high = [self.above(fd) for fd in high]
            pid = os.posix_spawn(os.path.join(BUILD, "fn-unpack"), ["fn-unpack", "--uid", str(UID), "--max-bytes", "1000000", "--max-entries", "100", "--prefix", "", *options],
                                 {"LC_CTYPE": "C.UTF-8"}, file_actions=[(os.POSIX_SPAWN_DUP2, fd, 3 + i) for i, fd in enumerate(high)])
            for fd in (mount, w, *high):
                os.close(fd)
            with os.fdopen(r, "rb") as result:
                answer = result.read()
            os.waitpid(pid, 0)
            return struct.unpack_from("i", answer)[0], sorted(os.listdir(tree))

    @staticmethod
    def above(fd):
        import fcntl
        high = fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, 20)
        os.close(fd)
        return high

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


if __name__ == "__main__":
    unittest.main()
