"""Stamps of files and folders: the same while nothing changes, another one after any change."""

import os

from g4g.stamp import list_files, stamp_file


def test_a_stamp_changes_with_size_time_and_the_names_in_a_folder(tmp_path):
    folder, file = tmp_path / "pictures", tmp_path / "a.mp4"
    folder.mkdir()
    for path in (file, folder / "b.png", folder / "a.png"):
        path.write_bytes(b"12")
        os.utime(path, ns=(5, 7))
    assert stamp_file(file) == "2 7" and stamp_file(folder) == "a.png 2 7\nb.png 2 7"
    assert list_files(folder) == [folder / "a.png", folder / "b.png"] and list_files(file) == [file]
    os.utime(file, ns=(5, 8))
    (folder / "a.png").rename(folder / "c.png")
    assert stamp_file(file) == "2 8" and stamp_file(folder) == "b.png 2 7\nc.png 2 7"
