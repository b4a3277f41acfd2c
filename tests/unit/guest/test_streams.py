# SPDX-License-Identifier: Apache-2.0
"""Streams without a database: programs that write and read, and a store that misbehaves."""

import hashlib
import json
import os
import pathlib
import signal
import sys
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest

from dbflow import logcontext
from dbflow.backupmanifest import BadManifest, Manifest, Segment, digest
from guest.datastores.base import Interrupted
from guest.streams import segments
from guest.streams.files import RESULT, SESSION, WORKER_LOG
from guest.streams.hold import Hold
from guest.streams.job import StreamFailed, StreamJob
from guest.streams.store import Store, StoreFailed
from guest.streams.worker import Worker
from tests.objects.moody import CUT, SLOW, STILL, WELL, Moods, Still
from tests.objects.vault import CONTAINER, Vault, vault
from tests.waiting import wait_for

MANY = 5_000_000
"""Bytes that no compression makes smaller: five segments of a MiB."""


@pytest.fixture
def store(tmp_path: pathlib.Path) -> Iterator[Vault]:
    with vault(tmp_path / "objects") as made:
        yield made


@pytest.fixture
def data(tmp_path: pathlib.Path) -> pathlib.Path:
    path = tmp_path / "data"
    path.write_bytes(os.urandom(MANY) + b"\0" * MANY)
    return path


def send(store: Vault, command: list[str], patience: float = 5.0, **changes: Any) -> dict[str, Any]:
    """An order."""
    upload = store.upload("b1") | changes
    step = {
        "do": "send",
        "command": command,
        "user": None,
        "expected": 2 * MANY,
        "holds": ("begins", "ends"),
        "store": upload["store"],
        "key": upload["backup_key"],
        "label": upload["label"],
        "stream": "s1",
        "segment_size": upload["segment_size"],
        "level": upload["level"],
    }
    return {"patience": patience, "steps": [step]}


def keep(store: Vault, sent: dict[str, Any]) -> dict[str, Any]:
    """Write the manifest: what making the backup would have answered."""
    upload = store.upload("b1")
    manifest = Manifest(
        **upload["about"],
        strategy="physical",
        stream="s1",
        segments=tuple(Segment(*one) for one in sent["segments"]),
        stream_size=sent["read"],
        data_size=0.1,
        position={},
    )
    Store(upload["store"], 5.0).put("manifest.json", manifest.to_bytes())
    return {"checksum": digest(manifest.to_bytes())}


def receive(store: Vault, made: dict[str, Any], target: pathlib.Path) -> dict[str, Any]:
    (link,) = store.download({"b1": made})["chain"]
    step = {
        "do": "receive",
        "command": [
            sys.executable,
            "-c",
            f"import shutil, sys; shutil.copyfileobj(sys.stdin.buffer, open({str(target)!r}, 'wb'))",
        ],
        "user": None,
        "key": link["backup_key"],
        **{name: link[name] for name in ("store", "label", "backup_id", "checksum")},
    }
    return {"patience": 5.0, "steps": [step]}


def work(directory: pathlib.Path, order: dict[str, Any]) -> dict[str, Any]:
    """In this process."""
    directory.mkdir(exist_ok=True)
    return Worker(directory, order, None).run()


def test_there_and_back(store: Vault, data: pathlib.Path, tmp_path: pathlib.Path) -> None:
    sent = work(tmp_path / "s", send(store, ["cat", str(data)]))["sent"]
    assert sent["read"] == 2 * MANY
    assert [size for size, _ in sent["segments"][:-2]] == [1 << 20] * (len(sent["segments"]) - 2)
    assert len(sent["segments"]) == 6  # with the end
    for path, (size, sha256) in zip(store.files("b1"), sent["segments"], strict=True):
        assert (path.stat().st_size, hashlib.sha256(path.read_bytes()).hexdigest()) == (size, sha256)
    target = tmp_path / "back"
    assert work(tmp_path / "r", receive(store, keep(store, sent), target)) == {}
    assert target.read_bytes() == data.read_bytes()


def test_nothing_is_a_stream_too(store: Vault, tmp_path: pathlib.Path) -> None:
    sent = work(tmp_path / "s", send(store, ["true"]))["sent"]
    target = tmp_path / "back"
    assert work(tmp_path / "r", receive(store, keep(store, sent), target)) == {}
    assert target.read_bytes() == b""


def test_a_program_that_fails(store: Vault, tmp_path: pathlib.Path) -> None:
    order = send(store, ["sh", "-c", "echo half; echo 'some words' >&2; echo 'Error: no luck' >&2; exit 3"])
    assert work(tmp_path / "s", order) == {"error": "sh failed (3): Error: no luck"}


def test_neither_names_nor_data_are_taken_for_the_reason(store: Vault, tmp_path: pathlib.Path) -> None:
    said = ["Streaming ./shop/error_log.ibd", "ERROR 1064 (42000) at line 3: syntax error near 'a hash'", "[00] bye"]
    order = send(store, ["sh", "-c", 'for line; do echo "$line" >&2; done; exit 1', "sh", *said])
    assert work(tmp_path / "s", order) == {"error": "sh failed (1): ERROR 1064 (42000) at line 3: syntax error near …"}


def test_a_program_that_does_not_take_all(store: Vault, data: pathlib.Path, tmp_path: pathlib.Path) -> None:
    made = keep(store, work(tmp_path / "s", send(store, ["cat", str(data)]))["sent"])
    order = receive(store, made, tmp_path / "back")
    order["steps"][0]["command"] = ["sh", "-c", "head -c 10 >/dev/null; echo enough >&2; exit 4"]
    assert work(tmp_path / "r", order) == {"error": "sh failed (4): enough"}


def test_a_truncated_stream_is_noticed(store: Vault, data: pathlib.Path, tmp_path: pathlib.Path) -> None:
    """Even if whoever truncated it wrote the manifest, and knows how much is left."""
    sent = work(tmp_path / "s", send(store, ["cat", str(data)]))["sent"]
    *segments, last, end = sent["segments"]
    for left, read in (
        ([*segments, last], sent["read"]),
        ([*segments, end], MANY),
        ([*segments, last, end], MANY),
        ([], 0),
    ):
        made = keep(store, {"segments": left, "read": read})
        told = work(tmp_path / "r", receive(store, made, tmp_path / "back"))
        assert told["error"].startswith("Backup b1 is damaged: Its end is ")


@pytest.mark.parametrize(
    "broken",
    [b"", b"[]", b"{}", b'{"format": 9}', b"\xff", b'{"format": 1, "segments": 3}', b"[" * 1_000_000],
    ids=["empty", "list", "nothing", "format", "bytes", "segments", "deep"],
)
def test_a_broken_manifest(broken: bytes) -> None:
    with pytest.raises(BadManifest):
        Manifest.of_bytes(broken)


@pytest.mark.parametrize(
    ("member", "value"),
    [
        ("stream", "../../p2/b2/s1"),
        ("stream", ""),
        ("strategy", 1),
        ("project_id", None),
        ("parent_id", []),
        ("stream_size", -1),
        ("stream_size", True),
        ("data_size", float("nan")),
        ("data_size", 1e999),
        ("data_size", "1"),
        ("position", [1]),
        ("segments", [[-1, "0" * 64]]),
        ("segments", [[1e999, "0" * 64]]),
        ("segments", [[1, "00"]]),
        ("segments", [[0, "0" * 64]]),
        ("segments", [[1]]),
        ("more", 1),
    ],
)
def test_a_manifest_that_a_guest_made_up(store: Vault, tmp_path: pathlib.Path, member: str, value: object) -> None:
    """It may not lead the control plane to the objects of others, nor astray."""
    keep(store, work(tmp_path / "s", send(store, ["true"]))["sent"])
    made = json.loads(store.store.read(CONTAINER, "p1/b1/manifest.json"))
    assert Manifest.of_bytes(json.dumps(made).encode()).stream == "s1"
    with pytest.raises(BadManifest):
        Manifest.of_bytes(json.dumps(made | {member: value}).encode())


def test_a_segment_fits_one_place_only() -> None:
    key, buffer = os.urandom(32), segments.Buffer(1000)
    sealer = segments.Sealer(key, "label", "stream")
    for _ in range(2):
        filling = sealer.begin(buffer)
        rest = filling.feed(memoryview(b"x" * 2000))
        filling.end()
    sealed = bytes(buffer.view)
    assert (len(sealed), len(rest)) == (1000, 2000 - (1000 - segments.NONCE - segments.TAG))
    assert segments.unseal(key, "label", "stream", 1, sealed) == b"x" * (1000 - segments.NONCE - segments.TAG)
    for wrong in (
        (os.urandom(32), "label", "stream", 1),
        (key, "other", "stream", 1),
        (key, "label", "other", 1),
        (key, "label", "stream", 0),
    ):
        with pytest.raises(segments.BadSegment):
            segments.unseal(*wrong, sealed)
    with pytest.raises(segments.BadSegment):
        segments.unseal(key, "label", "stream", 1, b"")


PASSING = [503, CUT, WELL, 500, WELL, WELL, 507, 429, 422, 408, WELL, 502]


def test_a_store_that_recovers(tmp_path: pathlib.Path, data: pathlib.Path) -> None:
    """In the middle of a backup, and in the middle of a restore."""
    moods = Moods(PASSING)
    with vault(tmp_path / "objects", moods=moods) as store:
        sent = work(tmp_path / "s", send(store, ["cat", str(data)], patience=60.0))["sent"]
    assert moods.met[503] == moods.met[CUT] == moods.met[507] == 1
    with vault(tmp_path / "objects", moods=Moods(PASSING)) as again:
        again.keys |= store.keys
        order = receive(again, keep(again, sent), tmp_path / "back") | {"patience": 60.0}
        assert work(tmp_path / "r", order) == {}
    assert (tmp_path / "back").read_bytes() == data.read_bytes()


@pytest.mark.parametrize(
    ("status", "words"),
    [
        (507, "The object store does not work: it is full."),
        (503, "The object store does not work: it answers 503."),
        (CUT, "The object store does not work: no answer (ProtocolError)."),
        (403, "the right to object s1/00000001 is not good any more"),
        (413, "The object store refuses object s1/00000001 (413)."),
    ],
)
def test_a_store_that_does_not(tmp_path: pathlib.Path, data: pathlib.Path, status: int, words: str) -> None:
    with vault(tmp_path / "objects", moods=Moods([WELL, *[status] * 1000])) as store:
        told = work(tmp_path / "s", send(store, ["cat", str(data)], patience=3.0))
    assert words in told["error"]


@pytest.mark.parametrize("status", [498, 499])
def test_a_store_that_has_too_much_to_do(tmp_path: pathlib.Path, status: int) -> None:
    """In Swift's own words."""
    with vault(tmp_path, moods=Moods([status, status])) as store:
        Store(store.upload("b1")["store"], 60.0).put("s1/00000000", b"x")
        assert store.store.size(CONTAINER, f"{store.prefix('b1')}s1/00000000") == 1


def test_a_store_that_takes_its_time(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """More of it than there is for a connection; but it does take something all the while."""
    monkeypatch.setattr("guest.streams.store._CONNECT", 1.0)
    large = bytes(32 << 20)
    with vault(tmp_path, moods=Moods([SLOW] * 100)) as store:  # so slow again, should a block not be taken in time
        began = time.monotonic()
        Store(store.upload("b1")["store"], 20.0).put("s1/00000000", large)
        assert time.monotonic() - began > 1.0
        assert store.store.size(CONTAINER, f"{store.prefix('b1')}s1/00000000") == len(large)


def test_a_store_that_says_nothing_for_longer_than_there_is_patience(tmp_path: pathlib.Path) -> None:
    moods = Moods([STILL] * 10)
    with vault(tmp_path, moods=moods) as store:
        began = time.monotonic()
        with pytest.raises(StoreFailed, match=r"no answer \(ReadTimeoutError\)"):
            Store(store.upload("b1")["store"], 1.0).put("s1/00000000", b"x")
        assert time.monotonic() - began < 30.0
        moods.over.set()


@pytest.mark.parametrize(("status", "words"), [(403, "refuses (403)"), (503, "it answers 503")])
def test_a_store_that_gives_nothing_back(tmp_path: pathlib.Path, data: pathlib.Path, status: int, words: str) -> None:
    with vault(tmp_path / "objects") as store:
        made = keep(store, work(tmp_path / "s", send(store, ["cat", str(data)]))["sent"])
    with vault(tmp_path / "objects", moods=Moods([WELL, WELL, *[status] * 1000])) as again:
        again.keys |= store.keys
        told = work(tmp_path / "r", receive(again, made, tmp_path / "back") | {"patience": 2.0})
    assert words in told["error"]


# -- a program that holds others up


def holding(data: pathlib.Path, *, times: int = 1) -> list[str]:
    """A program's command."""
    return [
        "sh",
        "-c",
        f"echo it begins >&2; for n in $(seq {times}); do cat {data}; done; echo it ends >&2; cat {data}",
    ]


def test_a_slow_store_does_not_hold_others_up(tmp_path: pathlib.Path, data: pathlib.Path) -> None:
    """It takes nothing before the program is done with that."""
    log = tmp_path / "s" / "commands.log"
    with vault(tmp_path / "objects", moods=Still(lambda: "it ends" not in log.read_text())) as store:
        sent = work(tmp_path / "s", send(store, holding(data), patience=60.0))["sent"]
        assert sent["read"] == 4 * MANY
        target = tmp_path / "back"
        assert work(tmp_path / "r", receive(store, keep(store, sent), target)) == {}
    assert target.read_bytes() == 2 * data.read_bytes()


def test_a_dead_store_does_not_hold_others_up(tmp_path: pathlib.Path, data: pathlib.Path) -> None:
    """More than there is room for: it is given up, and the program is ended, while a segment still is on its way."""
    over = threading.Event()
    with vault(tmp_path / "objects", moods=Still(lambda: not over.is_set())) as store:
        try:
            told = work(tmp_path / "s", send(store, holding(data, times=9), patience=600.0))
        finally:
            over.set()
    assert told == {
        "error": "The object store is too slow for the end of a backup, when nobody can write: it was given up."
    }
    assert "it ends" not in (tmp_path / "s" / "commands.log").read_text()


def test_lines_of_a_log_that_come_in_pieces(tmp_path: pathlib.Path) -> None:
    log = tmp_path / "log"
    log.write_text("a begin")
    hold = Hold(log, ("begins", "ends"))
    told = []
    for piece in ("", "s", "\n", "more\n", "it e", "nds\nit begins\nit ends\n", "it begins\nmore"):
        with log.open("a") as end:
            end.write(piece)
        told.append(hold.on())
    assert told == [False, False, True, True, True, False, True]
    assert not Hold(log, None).on()
    assert hold.on()
    hold.over()
    assert not hold.on()


# -- the process


@pytest.fixture
def job(tmp_path: pathlib.Path) -> Iterator[StreamJob]:
    directory = tmp_path / "job"
    directory.mkdir()
    made = StreamJob(directory)
    yield made
    made.kill()


def test_a_process_of_its_own(job: StreamJob, store: Vault, data: pathlib.Path) -> None:
    told: list[float] = []
    job.start(send(store, ["sh", "-c", f"cat {data}; sleep 0.7"]))
    result = job.wait(told.append, threading.Event())
    assert result["sent"]["read"] == 2 * MANY
    assert all(0 <= fraction <= 1 for fraction in told)
    # Whoever comes later finds the result.
    later = StreamJob(job.directory)
    assert later.ended()
    assert later.wait(told.append, threading.Event()) == result
    later.remove()
    assert not job.directory.exists()


def test_its_lines_say_whose_work_it_is(job: StreamJob, store: Vault, data: pathlib.Path) -> None:
    with logcontext.at(logcontext.About("req-1", "operation-1")):
        job.start(send(store, ["cat", str(data)]))
    job.wait(lambda fraction: None, threading.Event())
    assert "[- req-1 operation-1 -] send: " in (job.directory / WORKER_LOG).read_text()


def test_the_next_agent_finds_it(job: StreamJob, store: Vault, tmp_path: pathlib.Path) -> None:
    gate = tmp_path / "gate"
    os.mkfifo(gate)
    job.start(send(store, ["cat", str(gate)]))
    next_agent = StreamJob(job.directory)
    assert next_agent.alive()
    gate.write_bytes(b"some bytes")
    assert next_agent.wait(lambda fraction: None, threading.Event())["sent"]["read"] == 10


def test_interrupted(job: StreamJob, store: Vault) -> None:
    job.start(send(store, ["sleep", "1000"]))
    interrupted = threading.Event()
    interrupted.set()
    with pytest.raises(Interrupted):
        job.wait(lambda fraction: None, interrupted)
    job.remove()
    assert not job.alive()


def test_a_process_that_is_killed_leaves_nobody(job: StreamJob, store: Vault) -> None:
    job.start(send(store, ["sleep", "1000"]))
    wait_for(lambda: len(job._session()) == 2, 30, "the program")
    os.kill(int((job.directory / SESSION).read_text()), signal.SIGKILL)
    with pytest.raises(StreamFailed, match="died"):
        job.wait(lambda fraction: None, threading.Event())
    assert not job.alive()
    assert not (job.directory / RESULT).exists()
