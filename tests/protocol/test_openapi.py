"""Requests as the gateways' own OpenAPI documents want them; a library does the validating."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import yaml
from openapi_core import OpenAPI
from openapi_core.exceptions import OpenAPIError
from openapi_core.testing import MockRequest

from kling_lipsync import Video
from kling_lipsync._protocol import Call, identify_face, write_request
from kling_lipsync.gateways import load_gateway

DOCUMENTS = Path(__file__).parents[1] / "samples" / "documents"
PATH = "/kling/v1/videos/identify-face"
VIDEOS = (
    Video.from_url("https://example.com/a.mp4?Signature=x%2By&Expires=9"),
    Video.from_id("827297867148050499"),
)


def document(gateway: str) -> dict[str, Any]:
    """The OpenAPI document inside the gateway's page."""
    page = (DOCUMENTS / f"{gateway}-identify-face.md").read_text("utf-8")
    found = re.search(r"^`{3,4}yaml[^\n]*\n(.*?)^`{3,4}", page, re.DOTALL | re.MULTILINE)
    assert found is not None
    spec: dict[str, Any] = yaml.safe_load(found[1])
    return spec


def as_sent(gateway: str, call: Call[Any]) -> MockRequest:
    """The request as it goes over the wire."""
    request = write_request(call, base_url=load_gateway(gateway).base_url, authorization="Bearer key")
    parts = urlsplit(request.url)
    headers = dict(request.headers)
    assert request.body is not None
    return MockRequest(
        f"{parts.scheme}://{parts.netloc}",
        request.method.lower(),
        parts.path,
        headers={"Authorization": headers["authorization"]} if "authorization" in headers else headers,
        data=b"".join(request.body.slices()),
        content_type=request.body.content_type,
    )


def calls(gateway: str) -> Iterator[Call[Any]]:
    """Every call the client can make to the documented path: one for each kind of source."""
    dialect = load_gateway(gateway).dialect
    for video in VIDEOS:
        yield identify_face(dialect, video)


@pytest.mark.parametrize("gateway", ["cometapi", "chainhub"])
def test_every_request_for_faces_is_valid_by_the_gateway_s_document(gateway: str) -> None:
    """Host, path, method, credentials and body are what the document describes."""
    spec = OpenAPI.from_dict(document(gateway))
    for call in calls(gateway):
        spec.validate_request(as_sent(gateway, call))


def test_the_library_refuses_what_the_document_forbids() -> None:
    """Both sources at once are against CometAPI's document, so the validation can fail."""
    spec = OpenAPI.from_dict(document("cometapi"))
    request = MockRequest(
        "https://api.cometapi.com",
        "post",
        PATH,
        headers={"Authorization": "Bearer key"},
        data=b'{"video_id": "1", "video_url": "https://example.com/a.mp4"}',
    )
    with pytest.raises(OpenAPIError):
        spec.validate_request(request)
