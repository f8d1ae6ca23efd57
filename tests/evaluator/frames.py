"""A small client of the evaluator's frames over a local folder, so that these tests need nothing of the product's own pool.

It serves files with the operating system's own idea of links, which the product's trees do from Git's objects.
"""

from __future__ import annotations

import base64
import contextlib
import os
import stat
import struct
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson

Json = dict[str, Any]


class EvaluationError(Exception):
    """The error of an answer, as it came over the wire."""

    def __init__(self, error: Json) -> None:
        super().__init__(error["message"])
        self.message: str = error["message"]
        self.file: str = error.get("file", "")
        self.line: int = error.get("line", 0)
        self.kind: str = error["kind"]


class Gone(Exception):  # noqa: N818
    """The evaluator ended instead of answering: its exit code and what it said."""

    def __init__(self, code: int, text: str) -> None:
        super().__init__(f"exit code {code}: {text[:300]}")
        self.code = code
        self.text = text


class Folder:
    """A local folder as the evaluator's tree; counts the questions that it answered."""

    def __init__(self, root: Path) -> None:
        self.root = root.resolve()
        self.asked: list[Json] = []

    def answer(self, ask: Json) -> Json:
        self.asked.append(ask)
        tree: Json = {"stat": {}, "list": {}, "read": {}, "read64": {}}
        for path in ask.get("stat", ()):
            tree["stat"][path] = self._stat(path)
        for path in ask.get("list", ()):
            tree["list"][path] = self._list(path, tree)
        for path in ask.get("read", ()):
            self._read(path, tree)
        return tree

    def _real(self, path: str) -> Path | None:
        real = (self.root / path).resolve()
        return real if real.is_relative_to(self.root) else None

    def _stat(self, path: str) -> Any:
        real = self._real(path)
        if real is None:
            return {"error": f"{path}: the link leaves the repository"}
        if not real.exists():
            return None
        kind = "dir" if real.is_dir() else "file"
        inside = real.relative_to(self.root).as_posix()
        return kind if inside == path else {"kind": kind, "real": "" if inside == "." else inside}

    def _list(self, path: str, tree: Json) -> list[list[str]] | None:
        real = self._real(path)
        if real is None:
            tree["stat"][path] = self._stat(path)
            return None
        if not real.is_dir():
            return None
        return [[name, _kind(real / name)] for name in sorted(os.listdir(real))]  # noqa: PTH208

    def _read(self, path: str, tree: Json) -> None:
        real = self._real(path)
        if real is None:
            tree["stat"][path] = self._stat(path)
        if real is None or not real.is_file():
            tree["read"][path] = None
            return
        data = real.read_bytes()
        try:
            tree["read"][path] = data.decode()
        except UnicodeDecodeError:
            tree["read64"][path] = base64.b64encode(data).decode()


def _kind(path: Path) -> str:
    mode = path.lstat().st_mode
    if stat.S_ISLNK(mode):
        return "link"
    return "dir" if stat.S_ISDIR(mode) else "file"


class Evaluator:
    """One evaluator process. :meth:`run` evaluates a request over a folder and answers its value; the trace of it is in ``trace``."""

    def __init__(self, program: Path, *, memory: int = 1 << 30, output: int = 64 << 20) -> None:
        self.trace: list[str] = []
        self._next = 0
        self._process = subprocess.Popen(
            [program, "--memory-limit", str(memory), "--output-limit", str(output)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env={},
            cwd="/",
        )

    def run(self, request: Json, folder: Folder | None = None, tree: Json | None = None) -> Any:
        self.begin(request, tree)
        while True:
            got = self._receive()
            if "ask" not in got:
                break
            assert folder is not None, f"asked for files of a request that has none: {got}"
            self._send({"id": got["id"], "tree": folder.answer(got["ask"])})
        assert got["id"] == self._next
        self.trace = got["trace"]
        if "error" in got:
            raise EvaluationError(got["error"])
        return got["ok"]

    def begin(self, request: Json, tree: Json | None = None) -> None:
        """Sends a request and waits for nothing."""
        self._next += 1
        message: Json = {"id": self._next, "request": request}
        if tree is not None:
            message["tree"] = tree
        self._send(message)

    def hang_up(self) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()

    def wait(self) -> int:
        """The exit code, once the process has ended."""
        return self._process.wait(30)

    def close(self) -> None:
        self._process.kill()
        self._process.wait()
        for stream in (self._process.stdin, self._process.stdout, self._process.stderr):
            assert stream is not None
            with contextlib.suppress(BrokenPipeError):
                stream.close()

    def _send(self, message: Json) -> None:
        body = orjson.dumps(message)
        assert self._process.stdin is not None
        with contextlib.suppress(BrokenPipeError):
            self._process.stdin.write(struct.pack(">I", len(body)) + body)
            self._process.stdin.flush()

    def _receive(self) -> Json:
        assert self._process.stdout is not None
        head = self._process.stdout.read(4)
        if len(head) < 4:
            assert self._process.stderr is not None
            text = self._process.stderr.read().decode(errors="replace")
            raise Gone(self._process.wait(), text)
        (size,) = struct.unpack(">I", head)
        answer: Json = orjson.loads(self._process.stdout.read(size))
        return answer


@contextlib.contextmanager
def evaluator(program: Path, *, memory: int = 1 << 30, output: int = 64 << 20) -> Iterator[Evaluator]:
    process = Evaluator(program, memory=memory, output=output)
    try:
        yield process
    finally:
        process.close()
