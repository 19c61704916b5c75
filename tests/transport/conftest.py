from __future__ import annotations

import ssl
from pathlib import Path

import pytest
import trustme
from attrs import frozen


@frozen
class Authority:
    """Signs the certificates of the tests' servers; the environment names it, as a company's would be named."""

    ca: trustme.CA
    file: Path

    def server_tls(self, name: str = "127.0.0.1") -> ssl.SSLContext:
        """For a server that goes by ``name``."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.ca.issue_cert(name).configure_cert(context)
        return context


@pytest.fixture(scope="session")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    """The one authority that the tests' clients trust."""
    authority = Authority(trustme.CA(), tmp_path_factory.mktemp("tls") / "authority.pem")
    authority.ca.cert_pem.write_to_path(str(authority.file))
    return authority


@pytest.fixture(autouse=True)
def environment(authority: Authority, monkeypatch: pytest.MonkeyPatch) -> None:
    """The tests talk to this machine, whatever proxies its owner has set."""
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)
    monkeypatch.setenv("SSL_CERT_FILE", str(authority.file))
