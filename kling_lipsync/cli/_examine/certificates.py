"""What a TLS connection, or the failure to make one, tells about the server's certificate."""

from __future__ import annotations

import ssl

from attrs import frozen

from .findings import Finding, failed

_DAY = 24 * 3600.0

_ASK = "do not send the key there; tell the gateway, or whoever runs the address in --base-url"
_INSPECTED = (
    "where your own network inspects TLS, set SSL_CERT_FILE to a file with its authority; elsewhere do not send the "
    "key there"
)
_NAME = "check the host in --base-url: another server answers under this name"
_FAULTS = {
    9: ("is not valid yet", f"check this machine's date; if it is right, {_ASK}"),
    10: ("has expired", f"check this machine's date; if it is right, {_ASK}"),
    18: ("is signed by itself, by no authority", _INSPECTED),
    19: ("is signed by an authority that nobody here knows", _INSPECTED),
    20: ("is signed by an authority that nobody here knows", _INSPECTED),
    21: ("comes without those that vouch for it", _INSPECTED),
    62: ("is for another host name", _NAME),
    64: ("is for another address", _NAME),
}
"""What is wrong by OpenSSL's X509_V_ERR codes (its manual of X509_STORE_CTX_get_error), and what to do."""

_NO_TLS = frozenset({"WRONG_VERSION_NUMBER", "HTTP_REQUEST", "RECORD_LAYER_FAILURE", "PACKET_LENGTH_TOO_LONG"})
"""OpenSSL's reasons where what answers does not speak TLS at all."""


@frozen
class Secured:
    """A TLS connection that stands: its version, and the Unix time until which the certificate is good."""

    version: str
    ends: float

    @classmethod
    def of(cls, connection: ssl.SSLObject) -> Secured:
        """What a verified connection tells of itself."""
        certificate = connection.getpeercert() or {}
        return cls(connection.version() or "TLS", ssl.cert_time_to_seconds(str(certificate["notAfter"])))

    def days_left(self, now: float) -> int:
        """Whole days that the certificate is still good for, at the Unix time ``now``."""
        return int((self.ends - now) // _DAY)


def certificate_fault(error: ssl.SSLError, host: str) -> Finding:
    """Why no TLS connection to ``host`` came about."""
    if isinstance(error, ssl.SSLCertVerificationError):
        what, todo = _FAULTS.get(error.verify_code, (f"is refused: {error.verify_message}", _ASK))
        return failed(f"the certificate of {host} {what}", todo)
    if error.reason in _NO_TLS:
        return failed(
            f"what answers at {host} does not speak TLS", "check the port in --base-url, or use http:// there"
        )
    return failed(f"TLS with {host} failed: {error.reason or 'for no reason given'}", _ASK)
