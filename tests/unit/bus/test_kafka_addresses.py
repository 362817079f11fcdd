"""How an address of Kafka becomes what its client is made with."""

import ssl

import pytest

from yotei.bus.kafka import client_options


def test_ports_may_be_left_out_and_there_may_be_several_brokers() -> None:
    options = client_options("kafka://one,two:9093,[::1],[::1]:9094")

    assert options["bootstrap_servers"] == ["one:9092", "two:9093", "[::1]:9092", "[::1]:9094"]
    assert options["security_protocol"] == "PLAINTEXT"


def test_a_password_may_hold_any_character() -> None:
    options = client_options("kafka://us%40er:p%3A%2F%40ss@host")

    assert (options["sasl_plain_username"], options["sasl_plain_password"]) == ("us@er", "p:/@ss")
    assert (options["security_protocol"], options["sasl_mechanism"]) == ("SASL_PLAINTEXT", "PLAIN")


@pytest.mark.parametrize(("credentials", "protocol"), [("", "SSL"), ("user:word@", "SASL_SSL")])
def test_tls_checks_the_certificate_and_the_name(credentials: str, protocol: str) -> None:
    options = client_options(f"kafkas://{credentials}host?sasl_mechanism=SCRAM-SHA-256")

    assert options["security_protocol"] == protocol
    assert options["ssl_context"].verify_mode is ssl.CERT_REQUIRED
    assert options["ssl_context"].check_hostname
