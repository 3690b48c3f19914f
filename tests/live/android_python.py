"""Makes every Python of a scratch prefix see Android: `sys.platform`, `platform.system()`, and what Termux's build of it lacks (`facts/termux.md` 7.1).

    with termux_prefix(tmp_path, root=android_clone(tmp_path / "clone")) as phone:
        be_android(phone)

A `.pth` in the clone's environment, so that services, commands, their children and the engine's worker have it, whatever they are started
with. It leaves a line in `tmp_path/clone/pythons` for each process, so that a test can tell who had it.
"""

from __future__ import annotations

import sys
from pathlib import Path

from tests.live.install_phone import copy_clone
from tests.live.termux_prefix import REPO, TermuxPrefix

# Not built in, or closed to an app (6, 7.1).
LACKS = ("link", "getloadavg", "copy_file_range", "pidfd_open", "close_range", "memfd_create", "eventfd")

RIG = '''
import os, platform, sys

# Where this Python has its own settings, which it looks for by its platform's name.
multiarch = getattr(sys.implementation, "_multiarch", "")
os.environ["_PYTHON_SYSCONFIGDATA_NAME"] = f"_sysconfigdata_{{sys.abiflags}}_{{sys.platform}}_{{multiarch}}"
sys.platform = "android"
platform.system = lambda: "Android"
for name in {lacks!r}:
    if hasattr(os, name):
        delattr(os, name)

def closed(*args, **kwargs):
    raise PermissionError(13, "Permission denied")

os.setuid = os.setgid = os.chroot = closed

def refuse(event, args):
    """No /tmp, no /bin, and of /proc not what Android hides."""
    if event not in ("open", "os.mkdir", "os.listdir", "subprocess.Popen", "os.exec", "os.posix_spawn"):
        return
    path = args[0]
    if isinstance(path, bytes):
        path = os.fsdecode(path)
    if not isinstance(path, str):
        return
    if path in ("/proc/stat", "/proc/net/dev", "/proc/loadavg", "/bin/sh", "/usr/bin/env") or _is_outside(path):
        with_line("refused " + event + " " + path)
        raise PermissionError(13, "Permission denied", path)

def _is_outside(path):
    """In a folder for everybody, of which Termux has none."""
    return path.startswith(("/tmp/", "/var/tmp/", "/dev/shm/")) and not path.startswith({ours!r})

def with_line(line):
    handle = os.open({notes!r}, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    os.write(handle, (line.replace("\\n", " ") + "\\n").encode())
    os.close(handle)

# orig_argv, since argv is not there yet.
with_line("python " + " ".join(sys.orig_argv[1:])[:300])
sys.addaudithook(refuse)
'''


def android_clone(folder: Path) -> Path:
    """A clone with copies of this one's packages, and an environment of its own: Python's libraries are those of the tests."""
    copy_clone(folder)
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    site = folder / ".venv" / "lib" / version / "site-packages"
    site.mkdir(parents=True)
    (folder / ".venv" / "bin").mkdir()
    (folder / ".venv" / "bin" / "python").symlink_to(sys.executable)
    (folder / ".venv" / "pyvenv.cfg").write_text(
        f"home = {Path(sys.base_prefix) / 'bin'}\ninclude-system-site-packages = false\nversion = {version.removeprefix('python')}.0\n"
    )
    theirs = [path for path in sys.path if path.endswith("site-packages")]
    (site / "tests.pth").write_text("\n".join(theirs) + "\n")
    ours = tuple(str(path) for path in (folder.parent, REPO, sys.prefix, sys.base_prefix))
    (site / "farmhand_android.py").write_text(RIG.format(lacks=LACKS, ours=ours, notes=str(folder / "pythons")))
    # Not a sitecustomize: the system's Python may have one already, which would be found first.
    (site / "android.pth").write_text("import farmhand_android\n")
    return folder


def python_of(clone: Path) -> Path:
    return clone / ".venv" / "bin" / "python"


def be_android(phone: TermuxPrefix) -> None:
    """The command `farmhand` of the clone's environment, as pip would make it."""
    text = "import sys\nfrom phone.cli import main\nsys.exit(main())\n"
    python = python_of(phone.places.root)
    phone.write(phone.places.root / ".venv" / "bin" / "farmhand", f"#!{python}\n{text}")


def pythons(clone: Path) -> list[str]:
    """Command lines of all that had it."""
    return _noted(clone, "python ")


def refused(clone: Path) -> list[str]:
    """What was tried that a phone does not allow."""
    return _noted(clone, "refused ")


def forget(clone: Path) -> None:
    (clone / "pythons").unlink()


def _noted(clone: Path, kind: str) -> list[str]:
    notes = clone / "pythons"
    lines = notes.read_text(encoding="utf-8").splitlines() if notes.exists() else []
    return [line.removeprefix(kind) for line in lines if line.startswith(kind)]
