"""A real S3-compatible object store on this machine: OpenStack Swift with its S3 API, started and stopped here.

Swift runs public and private clouds; it installs from PyPI (`pip install swift`) and needs no rights, no database and
no daemon besides its own four: a proxy, which speaks S3, and the servers of accounts, containers and objects behind it.
Everything lies in one folder of its own, with one copy of each object.
"""

from __future__ import annotations

import getpass
import importlib.util
import os
import secrets
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from types import TracebackType

READY_S = 40.0
"""How long the servers may take to start."""
_STOP_S = 10.0
_SERVERS = {
    "account": "swift.account.server",
    "container": "swift.container.server",
    "object": "swift.obj.server",
    "proxy": "swift.proxy.server",
}
_PIPELINE = "catch_errors healthcheck s3api tempauth proxy-server"
_RINGS = """
import sys
from swift.common.ring import RingBuilder
folder, *ports = sys.argv[1:]
for name, port in zip(("account", "container", "object"), ports):
    builder = RingBuilder(4, 1, 1)
    builder.add_dev({"region": 1, "zone": 1, "ip": "127.0.0.1", "port": int(port), "device": "disk", "weight": 1.0,
                     "replication_ip": "127.0.0.1", "replication_port": int(port), "meta": ""})
    builder.rebalance()
    builder.get_ring().save(f"{folder}/{name}.ring.gz")
"""


class ServerError(RuntimeError):
    """The object store does not start."""


@dataclass(frozen=True, slots=True)
class Access:
    """Where the object store is and how to get in."""

    endpoint: str
    access_key: str
    secret_key: str
    bucket: str


def missing() -> str | None:
    """Why the server cannot run here; null where it can."""
    if not sys.platform.startswith("linux"):
        return "OpenStack Swift runs on Linux only"
    lacking = [name for name in ("swift", "boto3") if importlib.util.find_spec(name) is None]
    if lacking:
        return f"not installed: {', '.join(lacking)} (pip install --group bench)"
    return None


def version() -> str:
    """Name and version of the server, and of the client's library."""
    return f"OpenStack Swift {metadata.version('swift')} with s3api, boto3 {metadata.version('boto3')}"


class ObjectStore:
    """The server as a context: started on entering, stopped and wiped on leaving.

    Args:
        parent: Where its folder is made; the file system must keep extended attributes. Null: the system's folder for
            temporary files.
    """

    def __init__(self, parent: Path | None = None) -> None:
        reason = missing()
        if reason is not None:
            raise ServerError(reason)
        self._folder = Path(tempfile.mkdtemp(prefix="object-store-", dir=parent))
        self._running: dict[str, subprocess.Popen[bytes]] = {}
        key = secrets.token_hex(16)
        self._ports = dict(zip(_SERVERS, _free_ports(len(_SERVERS)), strict=True))
        self.access = Access(f"http://127.0.0.1:{self._ports['proxy']}", "bench:bench", key, "frames")

    def __enter__(self) -> ObjectStore:
        """Start the servers and wait until the proxy answers.

        Raises:
            ServerError: They do not start; the message holds what they said.
        """
        try:
            _require_xattr(self._folder)
            self._configure()
            for name, module in _SERVERS.items():
                self._start(name, module)
            self._wait()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop and wipe."""
        self.close()

    def close(self) -> None:
        """Stop the servers and remove what they stored."""
        for process in self._running.values():
            process.terminate()
        for process in self._running.values():
            try:
                process.wait(_STOP_S)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        self._running.clear()
        shutil.rmtree(self._folder, ignore_errors=True)

    def cpu_s(self) -> float:
        """User and system time of the servers so far; the clients' costs are not in it."""
        ticks = 0
        for process in self._running.values():
            fields = Path(f"/proc/{process.pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
            ticks += int(fields[11]) + int(fields[12])
        return ticks / os.sysconf("SC_CLK_TCK")

    def _configure(self) -> None:
        (self._folder / "devices" / "disk").mkdir(parents=True)
        (self._folder / "swift.conf").write_text(
            "[swift-hash]\nswift_hash_path_prefix = bench\nswift_hash_path_suffix = bench\n", encoding="ascii"
        )
        for name in _SERVERS:
            text = self._proxy() if name == "proxy" else f"[pipeline:main]\npipeline = {name}-server\n\n{_app(name)}"
            (self._folder / f"{name}.conf").write_text(self._defaults(name) + text, encoding="ascii")
        ports = [str(self._ports[name]) for name in _SERVERS if name != "proxy"]
        done = subprocess.run(
            [sys.executable, "-W", "ignore", "-c", _RINGS, str(self._folder), *ports],
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode != 0:
            raise ServerError(f"the ring of {version()} cannot be made:\n{done.stderr[-2000:]}")

    def _defaults(self, name: str) -> str:
        # workers = 0: one process per server, whose CPU time is then the server's.
        return (
            f"[DEFAULT]\nbind_ip = 127.0.0.1\nbind_port = {self._ports[name]}\nworkers = 0\n"
            f"user = {getpass.getuser()}\nswift_dir = {self._folder}\ndevices = {self._folder}/devices\n"
            "mount_check = false\ndisable_fallocate = true\nlog_level = ERROR\n\n"
        )

    def _proxy(self) -> str:
        return (
            f"[pipeline:main]\npipeline = {_PIPELINE}\n\n"
            f"{_app('proxy')}account_autocreate = true\nallow_account_management = true\n\n"
            "[filter:catch_errors]\nuse = egg:swift#catch_errors\n\n"
            "[filter:healthcheck]\nuse = egg:swift#healthcheck\n\n"
            "[filter:s3api]\nuse = egg:swift#s3api\nlocation = us-east-1\n\n"
            f"[filter:tempauth]\nuse = egg:swift#tempauth\nuser_bench_bench = {self.access.secret_key} .admin\n"
        )

    def _start(self, name: str, module: str) -> None:
        code = f"from {module} import main; main()"
        with (self._folder / f"{name}.log").open("wb") as log:
            self._running[name] = subprocess.Popen(
                [sys.executable, "-W", "ignore", "-c", code, str(self._folder / f"{name}.conf")],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=self._folder,
            )

    def _wait(self) -> None:
        """Until every server answers."""
        until_s = time.monotonic() + READY_S
        for name, port in self._ports.items():
            while not _answers(port, "/healthcheck" if name == "proxy" else "/recon/version"):
                ended = [other for other, process in self._running.items() if process.poll() is not None]
                if ended or time.monotonic() > until_s:
                    raise ServerError(f"{version()} does not start: {self._said(ended or [name])}")
                time.sleep(0.05)

    def _said(self, names: list[str]) -> str:
        return "\n".join(
            f"{name}: {(self._folder / f'{name}.log').read_text(encoding='utf-8', errors='replace')[-1500:]}"
            for name in names
        )


def _app(name: str) -> str:
    return f"[app:{name}-server]\nuse = egg:swift#{name}\n"


def _answers(port: int, path: str) -> bool:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=2.0):
            return True
    except urllib.error.HTTPError:
        return True
    except OSError:
        return False


def _require_xattr(folder: Path) -> None:
    try:
        os.setxattr(folder, "user.gpu-qa", b"1")
    except OSError as error:
        raise ServerError(f"{folder}: the file system keeps no extended attributes: {error.strerror}") from None


def _free_ports(count: int) -> list[int]:
    """Ports that nobody listens on now, all different."""
    sockets = [socket.socket() for _ in range(count)]
    try:
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [int(one.getsockname()[1]) for one in sockets]
    finally:
        for one in sockets:
            one.close()
