"""Test that archives are extracted whole, or refused in one sentence with no file outside the folder."""

from __future__ import annotations

import gzip
import io
import stat
import struct
import tarfile
import tempfile
import time
import tracemalloc
import zipfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ragbot.books.archive_extraction import ExtractionLimits, extract_book_archive
from ragbot.books.loader import load_book
from ragbot.core.errors import ArchiveRefused
from tests.fuzzing import fuzz

LIMITS = ExtractionLimits(unpacked_bytes=50_000_000, members=200)

Unpack = Callable[[bytes], Path]


@pytest.fixture
def unpacked(tmp_path: Path) -> Unpack:
    """Extract bytes into a folder of the test's own, and return the path of the book."""

    def run(content: bytes) -> Path:
        archive = tmp_path / "upload" / "archive"
        archive.parent.mkdir(exist_ok=True)
        archive.write_bytes(content)
        into = tmp_path / "upload" / "book"
        into.mkdir(exist_ok=True)
        return extract_book_archive(archive, into, LIMITS)

    return run


def a_zip(*files: tuple[str, bytes | str], compressed: bool = True) -> bytes:
    buffer = io.BytesIO()
    kind = zipfile.ZIP_DEFLATED if compressed else zipfile.ZIP_STORED
    with zipfile.ZipFile(buffer, "w", kind) as archive:
        for name, content in files:
            archive.writestr(name, content)
    return buffer.getvalue()


def a_tar(*members: tuple[str, bytes] | tarfile.TarInfo) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        for member in members:
            if isinstance(member, tarfile.TarInfo):
                archive.addfile(member)
                continue
            info = tarfile.TarInfo(member[0])
            info.size = len(member[1])
            archive.addfile(info, io.BytesIO(member[1]))
    return buffer.getvalue()


def special(name: str, kind: bytes, target: str = "") -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, target
    return info


def zip_entry_of_kind(name: str, mode: int, content: bytes = b"/etc/passwd") -> bytes:
    buffer = io.BytesIO()
    info = zipfile.ZipInfo(name)
    info.create_system = 3
    info.external_attr = mode << 16
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr(info, content)
    return buffer.getvalue()


def encrypted_zip() -> bytes:
    """Return a zip whose entry says that a password is needed."""
    content = bytearray(a_zip(("book.md", "# Secret")))
    for signature, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        content[content.find(signature) + offset] |= 1
    return bytes(content)


def lying_zip() -> bytes:
    """Return a zip whose entry says that it holds ten bytes and holds ten million."""
    content = bytearray(a_zip(("book.md", b"x" * 10_000_000)))
    for signature, offset in ((b"PK\x03\x04", 22), (b"PK\x01\x02", 24)):
        at = content.find(signature) + offset
        content[at : at + 4] = struct.pack("<I", 10)
    return bytes(content)


def lzma_zip() -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_LZMA) as archive:
        archive.writestr("a.md", "# A")
    return buffer.getvalue()


def long_header_tar() -> bytes:
    """Return a tar with a member whose name is said to be two hundred million letters long."""
    info = tarfile.TarInfo("././@LongLink")
    info.type, info.size = tarfile.GNUTYPE_LONGNAME, 200_000_000
    return gzip.compress(info.tobuf(tarfile.GNU_FORMAT) + bytes(30_000_000))


# --- as they are meant ---------------------------------------------------------------------------


@pytest.mark.parametrize("pack", [a_zip, a_tar])
def test_folder_at_the_top_is_the_books(unpacked: Unpack, pack: Callable[..., bytes]) -> None:
    """Hosts of code and `zip -r` both pack it so."""
    root = unpacked(pack(("my-book/docs/one.md", b"# One"), ("my-book/two.md", b"# Two")))

    assert root.name == "my-book"
    assert (root / "docs" / "one.md").read_text() == "# One"


@pytest.mark.parametrize("pack", [a_zip, a_tar])
def test_files_at_the_top_are_the_book(unpacked: Unpack, pack: Callable[..., bytes]) -> None:
    """What was packed inside the folder."""
    root = unpacked(pack(("./one.md", b"# One"), ("two.md", b"# Two"), ("img/a.png", b"\x89PNG")))

    assert sorted(path.name for path in root.iterdir()) == ["img", "one.md", "two.md"]


@pytest.mark.parametrize("pack", [a_zip, a_tar])
def test_only_file_is_the_book(unpacked: Unpack, pack: Callable[..., bytes]) -> None:
    """An EPUB or a PDF may be sent in an archive."""
    root = unpacked(pack(("book.epub", b"PK\x03\x04 not looked into")))

    assert root.is_file()
    assert root.name == "book.epub"


def test_archive_within_is_a_file_like_any_other(unpacked: Unpack) -> None:
    """A zip of zips of zips ends here."""
    root = unpacked(a_zip(("book/one.md", "# One"), ("book/more.zip", a_zip(("two.md", "# Two")))))

    assert sorted(path.name for path in root.iterdir()) == ["more.zip", "one.md"]


def test_what_no_reader_looks_at_is_not_written(unpacked: Unpack) -> None:
    """Programs that pack add folders of their own, and links among tools do not matter."""
    root = unpacked(
        a_tar(
            ("site/docs/one.md", b"# One"),
            ("site/.git/config", b"[core]"),
            ("site/docs/.vitepress/config.ts", b"export default {}"),
            ("site/node_modules/a/index.js", b"1"),
            ("__MACOSX/site/._one.md", b"\x00"),
            ("site/.DS_Store", b"\x00"),
            special("site/node_modules/.bin/a", tarfile.SYMTYPE, "../../../../a"),
        )
    )

    assert root.name == "site"
    assert [path.name for path in root.iterdir()] == ["docs"]
    # By this one the site's generator is known.
    assert (root / "docs" / ".vitepress" / "config.ts").is_file()


@pytest.mark.parametrize(("plugin", "listing"), [("awesome-pages", ".pages"), ("awesome-nav", ".nav.yml")])
def test_order_that_a_folder_lists_itself_comes_with_it(unpacked: Unpack, plugin: str, listing: str) -> None:
    """The pages of an uploaded book came in another order than those of its folder, without a word."""
    root = unpacked(
        a_zip(
            ("mkdocs.yml", f"site_name: M\nplugins: [{plugin}]\n"),
            (f"docs/{listing}", "nav:\n  - zeta.md\n  - First steps: alpha.md\n"),
            ("docs/alpha.md", "# A\n\nx"),
            ("docs/zeta.md", "# Z\n\nx"),
            (f"docs/.git/{listing}", "nav: [alpha.md]"),
        )
    )

    assert [(page.path, page.title) for page in load_book(root).pages] == [
        ("docs/zeta.md", "Z"),
        ("docs/alpha.md", "First steps"),
    ]
    assert not (root / "docs" / ".git").exists()


def test_parts_of_gitbooks_pages_come_with_it(unpacked: Unpack) -> None:
    """They lie in a hidden folder, beside pictures that no reader looks at."""
    root = unpacked(
        a_zip(
            (".gitbook.yaml", "root: ./"),
            (".gitbook/includes/part.md", "Part."),
            (".gitbook/assets/oar.png", "x"),
            ("SUMMARY.md", "* [A](a.md)"),
            ("a.md", '{% include ".gitbook/includes/part.md" %}'),
        )
    )

    assert [(page.address, page.source.strip()) for page in load_book(root).pages] == [("a", "Part.")]
    assert not (root / ".gitbook" / "assets").exists()


def test_program_bits_and_owners_are_not_kept(unpacked: Unpack) -> None:
    """What is unpacked is only ever read."""
    info = tarfile.TarInfo("run.md")
    info.mode, info.uid = 0o4777, 0
    info.size = 0

    root = unpacked(a_tar(info, ("b.md", b"")))

    assert not (root / "run.md").stat().st_mode & (stat.S_IXUSR | stat.S_ISUID)


# --- or refused ----------------------------------------------------------------------------------

OUT = "leads out"
LINK = "is a link"
NAME = "cannot be written"
TWICE = "twice"
LARGE = "more than"

HOSTILE: dict[str, tuple[Callable[[], bytes], str]] = {
    "zip: path up": (lambda: a_zip(("a/../../out.md", "x")), OUT),
    "zip: absolute": (lambda: a_zip(("/tmp/out.md", "x")), OUT),
    "zip: drive": (lambda: a_zip(("C:/out.md", "x")), OUT),
    "zip: backslashes": (lambda: a_zip(("..\\..\\out.md", "x")), NAME),
    "zip: symbolic link": (lambda: zip_entry_of_kind("a.md", stat.S_IFLNK | 0o777), LINK),
    "zip: device": (lambda: zip_entry_of_kind("a.md", stat.S_IFCHR | 0o666), LINK),
    "zip: fifo": (lambda: zip_entry_of_kind("a.md", stat.S_IFIFO | 0o666), LINK),
    "zip: encrypted": (lambda: encrypted_zip(), "encrypted"),
    "zip: two that differ in capitals": (lambda: a_zip(("a.md", "x"), ("A.md", "y")), TWICE),
    "zip: folders that differ in capitals": (lambda: a_zip(("a/1.md", "x"), ("A/2.md", "y")), TWICE),
    "zip: two of one shape": (lambda: a_zip(("\u00e9.md", "x"), ("e\u0301.md", "y")), TWICE),
    "zip: file and folder of one name": (lambda: a_zip(("a.md", "x"), ("a.md/b.md", "y")), TWICE),
    "zip: folder and file of one name": (lambda: a_zip(("a.md/b.md", "y"), ("A.md", "x")), TWICE),
    "zip: too many": (lambda: a_zip(*((f"{n}.md", "x") for n in range(201))), "more than 200 files"),
    "zip: too deep": (lambda: a_zip(("a/" * 40 + "b.md", "x")), "deep"),
    "zip: long name": (lambda: a_zip(("x" * 300 + ".md", "x")), NAME),
    "zip: bomb": (lambda: a_zip(("a.md", bytes(40_000_000))), LARGE),
    "zip: many that are a bomb together": (
        lambda: a_zip(*((f"{n}.md", bytes(1_000_000)) for n in range(40))),
        LARGE,
    ),
    "zip: larger than the limit": (lambda: a_zip(("a.md", bytes(51_000_000)), compressed=False), LARGE),
    "zip: that lies": (lambda: lying_zip(), "broken"),
    "zip: cut": (lambda: a_zip(("a.md", "x" * 1000))[:-30], "broken"),
    "zip: nothing": (lambda: a_zip(), "no files"),
    "zip: hidden files alone": (lambda: a_zip((".env", "x")), "no files"),
    "tar: path up": (lambda: a_tar(("a/../../out.md", b"x")), OUT),
    "tar: absolute": (lambda: a_tar(("/tmp/out.md", b"x")), OUT),
    "tar: symbolic link": (lambda: a_tar(special("a.md", tarfile.SYMTYPE, "b.md"), ("b.md", b"x")), LINK),
    "tar: link out": (lambda: a_tar(special("a", tarfile.SYMTYPE, "/etc"), ("a/passwd", b"x")), LINK),
    "tar: hard link": (lambda: a_tar(("b.md", b"x"), special("a.md", tarfile.LNKTYPE, "b.md")), LINK),
    "tar: hard link out": (lambda: a_tar(special("a.md", tarfile.LNKTYPE, "/etc/passwd")), LINK),
    "tar: device": (lambda: a_tar(special("a.md", tarfile.CHRTYPE)), LINK),
    "tar: fifo": (lambda: a_tar(special("a.md", tarfile.FIFOTYPE)), LINK),
    "tar: twice": (lambda: a_tar(("a.md", b"x"), ("a.md", b"y")), TWICE),
    "tar: too many": (lambda: a_tar(*((f"{n}.md", b"x") for n in range(201))), "more than 200 files"),
    "tar: bomb": (lambda: a_tar(("a.md", bytes(40_000_000))), LARGE),
    "tar: bomb among what is not written": (
        lambda: a_tar((".git/a", bytes(80_000_000)), ("a.md", b"")),
        LARGE,
    ),
    "tar: endless name": (lambda: long_header_tar(), "no real one"),
    "tar: cut": (lambda: a_tar(("a.md", bytes(range(256)) * 4000))[:-400], "broken"),
    "tar: half a character": (lambda: a_tar(("a\udce9.md", b"x")), NAME),
    "gzip: of a text": (lambda: gzip.compress(b"# One\n" * 500), "broken"),
    "gzip: of nothing": (lambda: gzip.compress(b""), "broken"),
    "zip: packed otherwise": (lambda: lzma_zip(), "zip it with the default method"),
    "neither": (lambda: b"Rar!\x1a\x07\x00", "neither"),
    "empty": (lambda: b"", "neither"),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_archive_is_refused_with_nothing_outside(name: str, unpacked: Unpack, tmp_path: Path) -> None:
    """One clear line, within the folder, and soon."""
    make, said = HOSTILE[name]
    content = make()
    began = time.process_time()

    with pytest.raises(ArchiveRefused, match=said) as refusal:
        unpacked(content)

    assert refusal.value.code == "unreadable_archive"
    assert time.process_time() - began < 20
    assert "\n" not in str(refusal.value)
    assert str(tmp_path) not in str(refusal.value)
    assert {path.name for path in (tmp_path / "upload").iterdir()} == {"archive", "book"}
    assert all(path.is_file() or path.is_dir() for path in tmp_path.rglob("*"))
    assert not any(path.is_symlink() for path in tmp_path.rglob("*"))


@fuzz(75)
@given(choice=st.sampled_from(["zip", "gzip", "tar"]), harm=st.data())
def test_archive_with_wrong_bytes_is_unpacked_or_refused(
    choice: str, harm: st.DataObject, tmp_path: Path
) -> None:
    """The readers of archives raise much, and none of it may be taken for a fault of ours."""
    files = (("b/a.md", b"# A\n" * 50), ("b/c/d.md", b"x" * 300))
    content = bytearray(a_zip(*files) if choice == "zip" else a_tar(*files))
    if choice == "tar":
        content = bytearray(gzip.decompress(content))
    places = st.integers(0, len(content) - 1)
    for place, byte in harm.draw(st.lists(st.tuples(places, st.integers(0, 255)), max_size=8)):
        content[place] = byte
    folder = Path(tempfile.mkdtemp(dir=tmp_path))
    (folder / "book").mkdir()
    (folder / "archive").write_bytes(gzip.compress(content) if choice == "tar" else content)

    with suppress(ArchiveRefused):
        extract_book_archive(folder / "archive", folder / "book", LIMITS)

    assert {path.name for path in folder.iterdir()} == {"archive", "book"}


def test_large_files_are_not_held_in_memory(unpacked: Unpack) -> None:
    """A PDF of a hundred megabytes is common."""
    content = a_zip(("a.pdf", bytes(20_000_000)), ("b.pdf", bytes(20_000_000)), compressed=False)
    tracemalloc.start()

    unpacked(content)

    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 10_000_000


def test_members_of_a_tar_are_unzipped_once(unpacked: Unpack) -> None:
    """Going back within a gzip begins anew: with many members that once meant hours."""
    members = [(f"{n}.md", bytes(512 * 40)) for n in range(150)]
    members += [(f"x{n}.md", bytes(511)) for n in range(20)]

    root = unpacked(a_tar(*members))

    assert len(list(root.iterdir())) == 170
    assert all((root / name).stat().st_size == len(content) for name, content in members)


def test_progress_gives_the_bytes(tmp_path: Path) -> None:
    """Of a zip all are known beforehand."""
    (tmp_path / "archive").write_bytes(a_zip(("a.md", "x" * 100), ("b.md", "x" * 50)))
    (tmp_path / "book").mkdir()
    calls: list[tuple[int, int]] = []

    extract_book_archive(
        tmp_path / "archive", tmp_path / "book", LIMITS, lambda done, total: calls.append((done, total))
    )

    assert calls == [(100, 150), (150, 150)]
