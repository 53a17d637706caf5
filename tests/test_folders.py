"""A process's own folder: it goes with the process, however that ends, and with no other."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from camdemo.ui.server import folders
from camdemo.ui.server.folders import own_folder

from .served import ROOT

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="there are no such locks")

HOLD = """
import signal, sys
from pathlib import Path
signal.signal(signal.SIGHUP, signal.SIG_DFL)  # which whoever runs the tests may have ignored
from camdemo.ui.server.folders import own_folder
with own_folder(Path(sys.argv[1])) as folder:
    (folder / "photo.jpg").write_bytes(b"a photo")
    print(folder, flush=True)
    sys.stdin.readline()
"""


def start(parent: Path) -> tuple[subprocess.Popen, Path]:
    """A process that holds a folder until it is told to end, and that folder."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(parent)],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout
    return process, Path(process.stdout.readline().strip())


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGHUP])
def test_what_a_killed_process_left_goes_with_the_next_start(tmp_path: Path, how: int) -> None:
    killed, left = start(tmp_path)
    living, held = start(tmp_path)
    killed.send_signal(how)
    killed.wait()
    assert (left / "photo.jpg").exists()
    with own_folder(tmp_path) as mine:
        assert not left.exists()
        assert (held / "photo.jpg").exists()  # another's, who lives
        assert len(list(tmp_path.iterdir())) == 4  # two folders, two locks
        assert os.stat(mine).st_mode & 0o077 == 0  # nobody else looks into it
    living.communicate("\n")
    assert list(tmp_path.iterdir()) == []


def test_a_folder_without_locks_will_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Some network's: there nobody can tell whether what lies there is another's who lives."""

    def flock(*_: int) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    with own_folder(tmp_path) as other:
        monkeypatch.setattr(folders.fcntl, "flock", flock)
        with own_folder(tmp_path) as mine:
            assert mine.exists()
            assert other.exists()
        assert not mine.exists()
    assert list(tmp_path.iterdir()) == []


def test_what_is_not_of_this_kind_stays(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    parent = tmp_path / "parent"
    (parent / "camdemo-old").mkdir(parents=True)  # without a lock it may be anybody's
    (parent / "camdemo-link.lock").symlink_to(parent / "camdemo-old")
    (parent / "camdemo-x.lock").touch()
    (parent / "camdemo-x").symlink_to(outside)
    with own_folder(parent):
        pass
    assert outside.exists()
    assert (parent / "camdemo-old").exists()


def test_where_nothing_can_be_written_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(OSError, match="file"), own_folder(tmp_path / "file" / "folder"):
        pass
