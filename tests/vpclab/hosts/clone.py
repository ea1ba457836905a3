"""A copy-on-write clone of this machine's file system, for tests that must not change the machine.

No namespaces of its own, unlike an instance; it needs a sandbox around it.
"""

from __future__ import annotations

import shutil
from pathlib import Path
from types import TracebackType

from vpclab import sandbox
from vpclab.command import run


class Clone:
    """A clone, a context manager.

    root: its file system.
    """

    def __init__(self) -> None:
        self._directory = sandbox.STATE / "clone"
        self.root = self._directory / "root"
        self._upper = self._directory / "upper"

    def __enter__(self) -> Clone:
        work = self._directory / "work"
        for path in (self.root, self._upper, work):
            path.mkdir(parents=True)
        layers = f"lowerdir=/,upperdir={self._upper},workdir={work}"
        run("mount", "-t", "overlay", "overlay", "-o", layers, self.root)
        run("mount", "-t", "proc", "proc", self.root / "proc")
        run("mount", "--rbind", "/dev", self.root / "dev")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        run("umount", "--recursive", self.root)
        shutil.rmtree(self._directory)

    def run(self, *command: str) -> str:
        """Run a command and return its output; raises RuntimeError with the output if it fails."""
        return run("chroot", self.root, *command, env={"DEBIAN_FRONTEND": "noninteractive"})

    def install(self, package: Path) -> None:
        """Install a package from a file, as an administrator does."""
        shutil.copy(package, self.root / "tmp")
        self.run("apt-get", "install", "--yes", f"/tmp/{package.name}")

    def new_files(self) -> set[str]:
        """The files that only the clone has, without logs, caches and the package managers' databases."""
        books = ("var/log/", "var/cache/", "var/lib/dpkg/", "var/lib/apt/", "var/backups/", "tmp/")
        # A character device stands for a file of the machine that is deleted in the clone
        # (https://docs.kernel.org/filesystems/overlayfs.html, "whiteouts and opaque directories").
        paths = (path for path in self._upper.rglob("*") if path.is_symlink() or path.is_file())
        files = {str(path.relative_to(self._upper)) for path in paths}
        return {path for path in files if not path.startswith(books)}
