"""What containers say of their length: planted headers, whole and cut."""

import pytest

from g4g.media.truncation import count_missing_bytes

EBML = b"\x1a\x45\xdf\xa3\x84head\x18\x53\x80\x67"
LARGE_AVI = b"RIFF\x64\0\0\0" + bytes(100) + b"RIFF\x33\0\0\0" + bytes(52)
MP4 = b"\0\0\0\x10ftyp" + bytes(8) + b"\0\0\0\x01mdat" + (116).to_bytes(8, "big") + bytes(100)


@pytest.mark.parametrize(
    ("data", "missing"),
    [
        (EBML + b"\xa0" + bytes(32), 0),  # sizes of 1, 2 and 8 bytes
        (EBML + b"\xa0" + bytes(20), 12),
        (EBML + b"\x41\x00" + bytes(200), 56),
        (EBML + b"\x01\0\0\0\0\0\x01\0" + bytes(250), 6),
        (EBML + b"\xff" + bytes(20), 0),  # not stated, in 1 byte and in 8
        (EBML + b"\x01" + b"\xff" * 7 + bytes(20), 0),
        (EBML, 0),
        (LARGE_AVI, 0),
        (LARGE_AVI[:140], 28 - 16),
        (LARGE_AVI[:-8], 0),  # the header counted twice
        (b"RIFF" + b"\xff" * 4 + bytes(50), 0),
        (b"RIFF" + bytes(54), 0),
        (MP4, 0),
        (MP4[:-30], 30),
        (MP4 + b"\x7f\xff\xff\xffjunk", 0),
        (MP4[:16] + b"\0\0\0\0mdat" + bytes(50), 0),  # to the end of the file
        (b"\0\0\0\x08wide\0\0\x01\0mdat" + bytes(48), 200),
        (b"any other file", 0),
        (b"", 0),
    ],
)
def test_missing_bytes_are_counted_where_the_container_tells(tmp_path, data, missing):
    (tmp_path / "file").write_bytes(data)
    assert count_missing_bytes(tmp_path / "file") == missing
