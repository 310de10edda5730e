"""The compilation cache: what one program compiles the next one loads, and nothing can break it."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from mmzoo import compilation_cache as cache

PROGRAM = """
import mmzoo.compilation_cache as cache
cache.use()
import tensorflow as tf
before = len(list(cache._own.glob("*.pb")))
double = tf.function(lambda x: tf.sin(x) * 2, jit_compile=True, autograph=False)
value = float(double(tf.ones(4))[0])
print(before, len(list(cache._own.glob("*.pb"))), value)
"""
CONTENT = b"\x0a\x03key\x12\x01h\x1a\x02xy"  # three fields, as an entry of TensorFlow has


HANDED_OVER = """
import os, sys
import mmzoo.compilation_cache as cache
cache.use()
import mmzoo.framework
import tensorflow as tf
flags = os.environ.get(cache.FLAGS)
tf.function(lambda x: tf.sin(x) * 2, jit_compile=True, autograph=False)(tf.ones(4))
print(len(list(cache._own.glob("*.pb"))), flags)
"""


def start(store: Path) -> subprocess.Popen:
    own = {**os.environ, cache.VARIABLE: str(store), "TF_CPP_MIN_LOG_LEVEL": "3"}
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    return subprocess.Popen([sys.executable, "-c", PROGRAM], env=own, **pipes)


def result(process: subprocess.Popen) -> list[float]:
    """Return entries at the start and at the end, and the first value."""
    out, error = process.communicate()
    assert process.returncode == 0, error
    return [float(word) for word in out.split()]


def entries(store: Path) -> list[Path]:
    return sorted(store.glob("*/*.pb"))


def test_the_next_program_loads_what_one_has_compiled_and_a_damaged_entry_is_made_anew(tmp_path):
    first, second = start(tmp_path), start(tmp_path)  # at once
    before, after, value = result(first)
    assert (before, after) == (0, 1)
    assert result(second)[2] == value
    (entry,) = entries(tmp_path)
    assert not list(tmp_path.glob("*/running-*"))
    made = entry.stat().st_mtime_ns
    assert result(start(tmp_path)) == [1, 1, value]
    assert entry.stat().st_mtime_ns == made
    content = bytearray(entry.read_bytes())
    content[len(content) // 2] ^= 255
    entry.write_bytes(content)
    assert result(start(tmp_path)) == [0, 1, value]
    assert len(entries(tmp_path)) == 1 and entries(tmp_path)[0].read_bytes() != content


@pytest.mark.parametrize("flags", [None, "--tf_xla_auto_jit=0"])
def test_a_program_that_is_started_gets_the_user_s_flags(tmp_path, flags):
    own = {**os.environ, cache.VARIABLE: str(tmp_path), "TF_CPP_MIN_LOG_LEVEL": "3"}
    own.pop(cache.FLAGS, None)
    own |= {cache.FLAGS: flags} if flags else {}
    command = [sys.executable, "-c", HANDED_OVER]
    ended = subprocess.run(command, env=own, capture_output=True, text=True, check=True)
    assert ended.stdout.split() == ["1", str(flags)]


@pytest.fixture
def alone(monkeypatch, tmp_path):
    """The module as in a program that has neither TensorFlow nor a folder yet."""
    monkeypatch.setattr(cache, "_own", None)
    monkeypatch.setattr(cache.atexit, "register", lambda *_: None)
    monkeypatch.delitem(sys.modules, "tensorflow", raising=False)
    monkeypatch.setenv(cache.VARIABLE, str(tmp_path))
    monkeypatch.setenv("TF_CPP_MIN_LOG_LEVEL", "3")
    monkeypatch.setenv(cache.FLAGS, "--tf_xla_auto_jit=0")
    return tmp_path


def test_flags_of_the_user_stay_and_those_of_the_program_before_go(alone, monkeypatch):
    parent = f"{cache.DIRECTORY}{alone}/v/running-x"
    monkeypatch.setenv(cache.FLAGS, f"--a=1 {parent} {cache.PROCESSORS}")
    cache.use()
    assert os.environ[cache.FLAGS].split() == [
        "--a=1", f"{cache.DIRECTORY}{cache._own}", cache.PROCESSORS,
    ]  # fmt: skip
    assert cache._own.is_dir() and cache._own.parent.parent == alone


@pytest.mark.parametrize(
    ("name", "value"),
    [
        (cache.VARIABLE, "0"),
        (cache.FLAGS, f"{cache.DIRECTORY}/elsewhere"),
        ("TF_CPP_MIN_LOG_LEVEL", "0"),
        (cache.VARIABLE, "/dev/null/nowhere"),
        (cache.VARIABLE, "/tmp/with space"),
    ],
)
def test_where_it_is_off_or_cannot_work_nothing_is_changed(alone, monkeypatch, name, value):
    monkeypatch.setenv(name, value)
    flags = os.environ[cache.FLAGS]
    cache.use()
    assert cache._own is None and os.environ[cache.FLAGS] == flags


def test_a_program_that_has_tensorflow_and_a_full_disk_have_no_cache(alone, monkeypatch):
    monkeypatch.setitem(sys.modules, "tensorflow", object())
    cache.use()
    monkeypatch.delitem(sys.modules, "tensorflow")
    monkeypatch.setattr(cache, "FREE_BYTES", 2**80)
    cache.use()
    assert cache._own is None


def publish(store: Path, name: str, content: bytes = CONTENT) -> None:
    own = cache._open(store / "version")
    (own / f"{name}.pb").write_bytes(content)
    cache._close(own, store)


@pytest.mark.parametrize("content", [CONTENT, b"", CONTENT[:-1], CONTENT + b"\x1a", b"\x08\x01"])
def test_a_file_that_was_not_written_to_its_end_is_not_kept(tmp_path, content):
    publish(tmp_path, "entry", content)
    assert bool(entries(tmp_path)) == (content == CONTENT)


def test_an_entry_that_two_programs_have_made_is_kept_once(tmp_path):
    other = CONTENT[:-1] + b"z"
    programs = [cache._open(tmp_path / "version") for _ in range(2)]
    for own, content in zip(programs, (CONTENT, other), strict=True):
        (own / "entry.pb").write_bytes(content)
    for own in programs:
        cache._close(own, tmp_path)
    (path,) = entries(tmp_path)
    assert path.read_bytes() == CONTENT
    # where both have looked before either was there
    (tmp_path / "version" / f"entry.{cache._checksum(other)}.pb").write_bytes(other)
    own = cache._open(tmp_path / "version")
    assert len(list(own.glob("*.pb"))) == 1
    assert len(entries(tmp_path)) == 1 and entries(tmp_path)[0].read_bytes() in (CONTENT, other)


def test_the_oldest_entries_go_when_there_are_too_many(tmp_path, monkeypatch):
    monkeypatch.setattr(cache, "LIMIT_BYTES", 2 * len(CONTENT))
    for age, name in enumerate(("new", "middle", "old")):
        publish(tmp_path, name)
        (path,) = (tmp_path / "version").glob(f"{name}.*")
        os.utime(path, (1e9 - age, 1e9 - age))
    publish(tmp_path, "newest")
    assert [path.name.partition(".")[0] for path in entries(tmp_path)] == ["new", "newest"]
    assert cache.size_bytes(tmp_path) == 2 * len(CONTENT)


def test_what_a_killed_program_left_is_removed_after_a_day(tmp_path):
    left = cache._open(tmp_path / "version")
    cache._open(tmp_path / "version")
    assert left.is_dir()
    os.utime(left, (1e9, 1e9))
    cache._open(tmp_path / "version")
    assert not left.exists()


def test_the_version_names_tensorflow_mmzoo_and_the_machine(monkeypatch):
    name = cache._version()
    assert name.startswith("tensorflow-2.") and "-mmzoo-" in name
    monkeypatch.setattr(cache, "_processor", lambda: "another")
    other = cache._version()
    assert other != name
    monkeypatch.setenv("XLA_FLAGS", "--xla_cpu_enable_fast_math=true")
    assert cache._version() not in (name, other)


@pytest.mark.parametrize(
    ("system", "variable", "value", "wanted"),
    [
        ("linux", "XDG_CACHE_HOME", "/caches", "/caches/mmzoo/compiled"),
        ("linux", "XDG_CACHE_HOME", "relative", "/home/a/.cache/mmzoo/compiled"),
        ("linux", "XDG_CACHE_HOME", "", "/home/a/.cache/mmzoo/compiled"),
        ("darwin", "XDG_CACHE_HOME", "", "/home/a/Library/Caches/mmzoo/compiled"),
        ("win32", "LOCALAPPDATA", "/local", "/local/mmzoo/compiled"),
        ("linux", cache.VARIABLE, "/mine", "/mine"),
    ],
)
def test_it_is_where_caches_are(system, variable, value, wanted, monkeypatch):
    monkeypatch.delenv(cache.VARIABLE)
    monkeypatch.setattr(sys, "platform", system)
    monkeypatch.setattr(Path, "home", lambda: Path("/home/a"))
    monkeypatch.setenv(variable, value)
    assert cache.folder() == Path(wanted)
