"""librdkafka's mock cluster: brokers that speak Kafka over TCP, inside of this process, with faults on demand.

The library is the one in the wheel of confluent-kafka, called by ctypes (`rdkafka_mock.h`). Everything is in memory,
and how fast it is says nothing about Kafka. A broker can say that it is at a port of ours, where a proxy is.
"""

import ctypes
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

PRODUCER: Final = 0
TEXT_BYTES: Final = 512

# Numbers of the Kafka protocol: requests, and error codes.
PRODUCE: Final = 0
FETCH: Final = 1
LIST_OFFSETS: Final = 2
NOT_LEADER_OR_FOLLOWER: Final = 6
OFFSET_OUT_OF_RANGE: Final = 1
TOPIC_AUTHORIZATION_FAILED: Final = 29
KAFKA_STORAGE_ERROR: Final = 56


def _library() -> Any:
    spec = find_spec("confluent_kafka")
    assert spec is not None and spec.origin is not None, "the wheel of confluent-kafka is not installed: make dev"
    folder = Path(spec.origin).parents[1] / "confluent_kafka.libs"
    if not folder.exists():  # macOS
        folder = Path(spec.origin).parent / ".dylibs"
    # The extension first: it brings the libraries that librdkafka needs.
    import confluent_kafka  # noqa: F401

    library = ctypes.CDLL(str(next(folder.glob("librdkafka*"))))
    pointer, text, number = ctypes.c_void_p, ctypes.c_char_p, ctypes.c_int32
    signatures: dict[str, tuple[Any, list[Any]]] = {
        "rd_kafka_conf_new": (pointer, []),
        "rd_kafka_conf_set": (ctypes.c_int, [pointer, text, text, text, ctypes.c_size_t]),
        "rd_kafka_new": (pointer, [ctypes.c_int, pointer, text, ctypes.c_size_t]),
        "rd_kafka_destroy": (None, [pointer]),
        "rd_kafka_mock_cluster_new": (pointer, [pointer, ctypes.c_int]),
        "rd_kafka_mock_cluster_destroy": (None, [pointer]),
        "rd_kafka_mock_cluster_bootstraps": (text, [pointer]),
        "rd_kafka_mock_topic_create": (ctypes.c_int, [pointer, text, ctypes.c_int, ctypes.c_int]),
        "rd_kafka_mock_broker_set_down": (ctypes.c_int, [pointer, number]),
        "rd_kafka_mock_broker_set_up": (ctypes.c_int, [pointer, number]),
        "rd_kafka_mock_broker_set_rtt": (ctypes.c_int, [pointer, number, ctypes.c_int]),
        "rd_kafka_mock_broker_set_host_port": (ctypes.c_int, [pointer, number, text, ctypes.c_int]),
        "rd_kafka_mock_partition_set_leader": (ctypes.c_int, [pointer, text, number, number]),
        "rd_kafka_mock_push_request_errors_array": (
            None,
            [pointer, ctypes.c_int16, ctypes.c_size_t, ctypes.POINTER(ctypes.c_int)],
        ),
        "rd_kafka_mock_clear_request_errors": (None, [pointer, ctypes.c_int16]),
    }
    for name, (result, arguments) in signatures.items():
        function = getattr(library, name)
        function.restype, function.argtypes = result, arguments
    return library


class MockCluster:
    """Brokers 1 to `brokers`; a topic is made when it is first asked for, or with `make_topic`."""

    def __init__(self, library: Any, cluster: int, brokers: int) -> None:
        self._library = library
        self._cluster = cluster
        self.brokers = range(1, brokers + 1)

    @property
    def bootstraps(self) -> list[tuple[str, int]]:
        """Where the brokers are, in their order."""
        found: bytes = self._library.rd_kafka_mock_cluster_bootstraps(self._cluster)
        pairs = (one.rpartition(":") for one in found.decode().split(","))
        return [(host, int(port)) for host, _, port in pairs]

    def make_topic(self, topic: str, *, partitions: int, replicas: int) -> None:
        self._do("rd_kafka_mock_topic_create", topic.encode(), partitions, replicas)

    def set_down(self, broker: int) -> None:
        """Its connections end, and it takes no new ones."""
        self._do("rd_kafka_mock_broker_set_down", broker)

    def set_up(self, broker: int) -> None:
        self._do("rd_kafka_mock_broker_set_up", broker)

    def set_round_trip(self, broker: int, milliseconds: int) -> None:
        self._do("rd_kafka_mock_broker_set_rtt", broker, milliseconds)

    def advertise(self, broker: int, host: str, port: int) -> None:
        """What clients are told about where it is."""
        self._do("rd_kafka_mock_broker_set_host_port", broker, host.encode(), port)

    def set_leader(self, topic: str, partition: int, broker: int | None) -> None:
        """None: the partition has no leader."""
        self._do("rd_kafka_mock_partition_set_leader", topic.encode(), partition, -1 if broker is None else broker)

    def answer_with(self, request: int, *errors: int) -> None:
        """The next requests of that kind fail, with one error each."""
        codes = (ctypes.c_int * len(errors))(*errors)
        self._library.rd_kafka_mock_push_request_errors_array(self._cluster, request, len(errors), codes)

    def answer_well(self, request: int) -> None:
        self._library.rd_kafka_mock_clear_request_errors(self._cluster, request)

    def _do(self, name: str, *arguments: object) -> None:
        code = getattr(self._library, name)(self._cluster, *arguments)
        assert code == 0, f"{name}{arguments}: error {code}"


@contextmanager
def mock_cluster(brokers: int = 3) -> Iterator[MockCluster]:
    library = _library()
    said = ctypes.create_string_buffer(TEXT_BYTES)
    settings = library.rd_kafka_conf_new()
    # The client that owns the cluster connects to nothing itself.
    library.rd_kafka_conf_set(settings, b"bootstrap.servers", b"", said, TEXT_BYTES)
    library.rd_kafka_conf_set(settings, b"log_level", b"0", said, TEXT_BYTES)
    owner = library.rd_kafka_new(PRODUCER, settings, said, TEXT_BYTES)
    assert owner, said.value.decode()
    cluster = library.rd_kafka_mock_cluster_new(owner, brokers)
    assert cluster, "librdkafka made no mock cluster"
    try:
        yield MockCluster(library, cluster, brokers)
    finally:
        library.rd_kafka_mock_cluster_destroy(cluster)
        library.rd_kafka_destroy(owner)
