"""librdkafka's mock cluster, through librdkafka's C interface.

Its Python wrapper can start one too, but cannot turn off the wait of three seconds for
further members of a group, which would delay every test.
"""

import contextlib
import ctypes
from collections.abc import Iterator
from pathlib import Path

import confluent_kafka

PRODUCER = 0
BUNDLED = ("../confluent_kafka.libs/librdkafka*", ".dylibs/librdkafka*")
ERROR_SIZE = 512


class MockError(Exception):
    """The mock cluster cannot start."""


@contextlib.contextmanager
def cluster(brokers: int) -> Iterator[str]:
    """Run a mock cluster in this process and return its bootstrap servers."""
    library = _load()
    error = ctypes.create_string_buffer(ERROR_SIZE)
    conf = library.rd_kafka_conf_new()
    library.rd_kafka_conf_set(conf, b"log_level", b"4", error, ERROR_SIZE)
    handle = library.rd_kafka_new(PRODUCER, conf, error, ERROR_SIZE)
    if not handle:
        raise MockError(error.value.decode())
    try:
        mock = library.rd_kafka_mock_cluster_new(handle, brokers)
        if not mock:
            raise MockError("librdkafka could not start it")
        library.rd_kafka_mock_group_initial_rebalance_delay_ms(mock, 0)
        try:
            yield library.rd_kafka_mock_cluster_bootstraps(mock).decode()
        finally:
            library.rd_kafka_mock_cluster_destroy(mock)
    finally:
        library.rd_kafka_destroy(handle)


def _load() -> ctypes.CDLL:
    package = Path(confluent_kafka.__file__).parent
    libraries = [path for pattern in BUNDLED for path in package.glob(pattern)]
    if not libraries:
        raise MockError("confluent-kafka has no librdkafka for this system")
    library = ctypes.CDLL(str(libraries[0]))
    pointer, text, number = ctypes.c_void_p, ctypes.c_char_p, ctypes.c_int
    signatures: dict[str, tuple[type, list[type]]] = {
        "rd_kafka_conf_new": (pointer, []),
        "rd_kafka_conf_set": (number, [pointer, text, text, text, ctypes.c_size_t]),
        "rd_kafka_new": (pointer, [number, pointer, text, ctypes.c_size_t]),
        "rd_kafka_mock_cluster_new": (pointer, [pointer, number]),
        "rd_kafka_mock_cluster_bootstraps": (text, [pointer]),
        "rd_kafka_mock_group_initial_rebalance_delay_ms": (number, [pointer, ctypes.c_int32]),
        "rd_kafka_mock_cluster_destroy": (number, [pointer]),
        "rd_kafka_destroy": (number, [pointer]),
    }
    for name, (result, arguments) in signatures.items():
        function = getattr(library, name)
        function.restype, function.argtypes = result, arguments
    return library
