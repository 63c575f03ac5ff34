"""The client's side of the object store: signed requests over HTTP, each of them counted."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from benchmarks.object_store.server import Access

T = TypeVar("T")
R = TypeVar("R")


@dataclass(slots=True)
class Traffic:
    """What went over the wire."""

    puts: int = 0
    gets: int = 0
    deletes: int = 0
    """Requests that delete, of up to 1000 objects each."""
    put_bytes: int = 0
    get_bytes: int = 0
    wait_s: float = 0.0
    """Wall time during which requests were under way and this process did nothing itself."""
    rounds: int = 0
    """How often it waited: requests that are under way together count once."""


class Store:
    """Objects of one bucket.

    Args:
        access: Where, and with which key.
        connections: Requests under way at once.
    """

    def __init__(self, access: Access, connections: int) -> None:
        import boto3
        from botocore.config import Config

        self._bucket = access.bucket
        self._connections = connections
        self._client: Any = boto3.client(
            "s3",
            endpoint_url=access.endpoint,
            aws_access_key_id=access.access_key,
            aws_secret_access_key=access.secret_key,
            region_name="us-east-1",
            config=Config(
                max_pool_connections=connections,
                # What every S3-compatible server understands: no trailing checksums, the bucket in the path.
                request_checksum_calculation="when_required",
                response_checksum_validation="when_required",
                s3={"addressing_style": "path"},
            ),
        )
        self._threads = ThreadPoolExecutor(connections)
        self.traffic = Traffic()

    def close(self) -> None:
        """Let connections and threads go."""
        self._threads.shutdown()
        self._client.close()

    def create_bucket(self) -> None:
        """Make the bucket; counted nowhere."""
        self._client.create_bucket(Bucket=self._bucket)

    def put(self, objects: Sequence[tuple[str, bytes]]) -> None:
        """Store objects under their keys."""

        def one(item: tuple[str, bytes]) -> int:
            return _requests(self._client.put_object(Bucket=self._bucket, Key=item[0], Body=item[1]))

        self.traffic.puts += sum(self._all(one, objects))
        self.traffic.put_bytes += sum(len(body) for _, body in objects)

    def get(self, keys: Sequence[str]) -> list[bytes]:
        """The objects of these keys, in their order."""

        def one(key: str) -> tuple[int, bytes]:
            answer = self._client.get_object(Bucket=self._bucket, Key=key)
            return _requests(answer), answer["Body"].read()

        found = self._all(one, keys)
        self.traffic.gets += sum(requests for requests, _ in found)
        self.traffic.get_bytes += sum(len(body) for _, body in found)
        return [body for _, body in found]

    def delete(self, keys: Sequence[str]) -> None:
        """Remove objects.

        Raises:
            RuntimeError: One of them could not be removed.
        """

        def one(part: Sequence[str]) -> int:
            wanted = {"Objects": [{"Key": key} for key in part], "Quiet": True}
            answer = self._client.delete_objects(Bucket=self._bucket, Delete=wanted)
            if answer.get("Errors"):
                raise RuntimeError(f"objects were not removed: {answer['Errors'][:3]}")
            return _requests(answer)

        # 1000 keys is the most that a request may name (S3 API, DeleteObjects).
        self.traffic.deletes += sum(self._all(one, [keys[i : i + 1000] for i in range(0, len(keys), 1000)]))

    def _all(self, call: Callable[[T], R], items: Sequence[T]) -> list[R]:
        """Requests for all items, as many at once as there are connections."""
        if not items:
            return []
        wall_s, cpu_s = time.perf_counter(), time.process_time()
        found = list(self._threads.map(call, items)) if len(items) > 1 else [call(items[0])]
        wall_s, cpu_s = time.perf_counter() - wall_s, time.process_time() - cpu_s
        self.traffic.wait_s += max(0.0, wall_s - cpu_s)
        self.traffic.rounds += -(-len(items) // self._connections)
        return found


def _requests(answer: dict[str, Any]) -> int:
    """How many requests an answer took: retries are paid for too."""
    return 1 + int(answer["ResponseMetadata"].get("RetryAttempts", 0))
