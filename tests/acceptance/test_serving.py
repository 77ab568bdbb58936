"""What a real web process does with code that is renewed, large files and static ones."""

from __future__ import annotations

import json
import os
import re
import signal
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest

from tests.acceptance.conftest import Portal, wait_for

pytestmark = pytest.mark.acceptance

MEGABYTE = 1024 * 1024


def test_no_request_fails_while_the_portal_is_renewed(own_portal: Callable[..., Portal]) -> None:
    portal = own_portal(WEB_PROCESSES="2")
    former = set(portal.children("uvicorn"))
    (worker,) = portal.children("manage.py worker")
    assert len(former) == 2
    stop, answered = threading.Event(), list[int]()

    def ask() -> None:
        while not stop.is_set():
            answered.append(httpx.get(f"{portal.address}/login/", timeout=30).status_code)

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    portal.process.send_signal(signal.SIGUSR2)
    wait_for(lambda: len(portal.children("uvicorn")) == 2 and not former & set(portal.children("uvicorn")))
    stop.set()
    for thread in threads:
        thread.join()
    assert set(answered) == {200}
    wait_for(lambda: worker not in portal.children("manage.py worker"))
    assert len(portal.children("manage.py worker")) == 1
    os.kill(portal.children("uvicorn")[0], signal.SIGKILL)
    wait_for(lambda: len(portal.children("uvicorn")) == 2)
    metrics = httpx.get(f"{portal.address}/metrics").text
    assert 'requests_in_flight{kind="short"} 0.0' in metrics
    assert not re.search(r"^requests_.*pid=", metrics, re.MULTILINE)


def test_a_large_upload_never_stands_in_memory(own_portal: Callable[..., Portal]) -> None:
    portal = own_portal(UPLOAD_LIMIT_MB="250", MODEL_WARMING="false")
    (web,) = portal.children("uvicorn")
    client = portal.client()
    assert client.post("documents/", files={"file": ("small", b"\0\1\2")}).status_code == 415
    before = peak(web)
    spooled = list[int]()

    head = b'--edge\r\nContent-Disposition: form-data; name="file"; filename="large"\r\n\r\n'
    tail = b"\r\n--edge--\r\n"

    def body() -> Iterator[bytes]:
        yield head
        for number in range(200):
            yield bytes([number]) * MEGABYTE
            if number == 150:
                wait_for(lambda: spooled.append(open_bytes(web)) or spooled[-1] > 100 * MEGABYTE)
        yield tail

    length = len(head) + 200 * MEGABYTE + len(tail)
    headers = {"Content-Type": "multipart/form-data; boundary=edge", "Content-Length": str(length)}
    answer = client.post("documents/", content=body(), headers=headers)
    assert answer.status_code == 415, "of no type that is read: so it is received, hashed, and not indexed"
    assert peak(web) - before < 50 * MEGABYTE
    wait_for(lambda: not list((portal.data_dir / "uploads").iterdir()))


def peak(pid: int) -> int:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM"))


def open_bytes(pid: int) -> int:
    """Of the files in ``uploads`` that the process holds open: they have no name any more."""
    sizes = [0]
    for entry in Path(f"/proc/{pid}/fd").iterdir():
        if "/uploads/" in os.readlink(entry):
            sizes.append(entry.stat().st_size)
    return sum(sizes)


@pytest.mark.parametrize(("accepted", "encoding"), [("br, gzip", "gzip"), ("identity", None)])
def test_static_files_are_compressed_and_kept_for_ever(
    portal: Portal, accepted: str, encoding: str | None
) -> None:
    manifest = json.loads((portal.data_dir / "static" / "staticfiles.json").read_text())
    path = manifest["paths"]["css/base.css"]
    answer = httpx.get(f"{portal.address}/static/{path}", headers={"Accept-Encoding": accepted})
    assert answer.status_code == 200
    assert answer.headers.get("Content-Encoding") == encoding
    assert "immutable" in answer.headers["Cache-Control"]
    assert "max-age=315360000" in answer.headers["Cache-Control"]
    assert answer.headers["Vary"] == "Accept-Encoding"
    plain = httpx.get(f"{portal.address}/static/css/base.css")
    assert "immutable" not in plain.headers.get("Cache-Control", "")
