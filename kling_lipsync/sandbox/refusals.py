"""Kling's refusals: business codes with the HTTP status and the text that each one travels under."""

from __future__ import annotations

REFUSALS: dict[int, tuple[int, str]] = {
    1000: (401, "Authentication failed"),
    1001: (401, "Authorization is empty"),
    1002: (401, "Authorization is invalid"),
    1003: (401, "Authorization is not yet valid"),
    1004: (401, "Authorization has expired"),
    1100: (429, "Account exception"),
    1101: (429, "Account in arrears"),
    1102: (429, "Account balance not enough"),
    1103: (403, "Unauthorized access to requested resource, such as API or model"),
    1200: (400, "Invalid request parameters"),
    1201: (400, "Invalid parameters"),
    1202: (404, "The requested method is invalid"),
    1203: (404, "The requested resource does not exist"),
    1300: (400, "Trigger strategy of the platform"),
    1301: (400, "Trigger the content security policy of the platform"),
    1302: (429, "API request is too frequent, exceeds the rate limit of the platform"),
    1303: (429, "parallel task over resource pack limit"),
    1304: (429, "Trigger the platform's IP whitelist policy"),
    5000: (500, "Server internal error"),
    5001: (503, "Server temporarily unavailable, usually due to maintenance"),
    5002: (504, "Server internal timeout"),
}
"""HTTP status and message of each code, from Kling's documentation of error codes."""


class Refused(Exception):
    """A request is answered with one of Kling's codes: ``code``, ``status`` (HTTP) and ``message``."""

    def __init__(self, code: int, message: str | None = None, *, retry_after: float | None = None) -> None:
        self.code = code
        self.status, text = REFUSALS[code]
        self.message = message or text
        self.retry_after = retry_after
        super().__init__(self.message)


def wrong(message: str) -> Refused:
    """The refusal of a value: code 1201 with a message that names the field."""
    return Refused(1201, message)


class ConnectionDropped(Exception):
    """The server hangs up. Over a socket the TCP connection is closed; in process the caller gets this exception."""
