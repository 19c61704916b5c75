"""The gateways, each from its own document: what a client finds there, unless the settings say otherwise."""

from __future__ import annotations

from kling_lipsync.sandbox.dialect import (
    Dialect,
    Errors,
    Gateway,
    Numbers,
    Operation,
    QueryPath,
    Spelling,
    VolumeField,
)
from kling_lipsync.sandbox.model import Family

IDENTIFY_PATH = "/v1/videos/identify-face"
ADVANCED_PATH = "/v1/videos/advanced-lip-sync"
ONE_STEP_PATH = "/v1/videos/lip-sync"

TWO_STEP = (
    Operation(method="POST", path=IDENTIFY_PATH, name="identify"),
    Operation(method="POST", path=ADVANCED_PATH, name="create"),
    Operation(method="GET", path=ADVANCED_PATH, name="list"),
    Operation(method="GET", path=ADVANCED_PATH + "/{key}", name="query"),
    Operation(method="POST", path="/v1/audio/tts", name="tts"),
)
"""Faces of a video, then a task for one of them; speech gives ``audio_id``."""

HANDED_ON = (
    *TWO_STEP,
    Operation(method="GET", path=ONE_STEP_PATH + "/{key}", name="query", under=Family.ONE_STEP),
)
"""The same at a gateway that has no one-step product: its queries may be below ``lip-sync``, if `QueryPath` says so."""

ONE_STEP = (
    Operation(method="POST", path=ONE_STEP_PATH, name="one_step_create", under=Family.ONE_STEP),
    Operation(method="GET", path=ONE_STEP_PATH, name="one_step_list", under=Family.ONE_STEP),
    Operation(method="GET", path=ONE_STEP_PATH + "/{key}", name="one_step_query", under=Family.ONE_STEP),
)
"""A task in one call, from a video and a text or a sound."""

ONE_STEP_AS_IDENTIFY = Operation(method="POST", path=IDENTIFY_PATH, name="one_step_create", under=Family.ONE_STEP)
COSTS = Operation(method="GET", path="/account/costs", name="costs")

OFFICIAL = Dialect(
    # Kling itself has no prefix; with one, a client that is set up for a gateway finds the same API.
    prefixes=("", "/kling"),
    operations=(*TWO_STEP, *ONE_STEP, COSTS),
    takes_jwt=True,
    lists=True,
    find_external_ids=True,
)

COMETAPI = Dialect(
    prefixes=("/kling",),
    operations=HANDED_ON,
    # Its guide to errors shows this envelope; the document of identify-face requires exactly one key.
    errors=Errors.OPENAI,
    one_key=True,
    # Its page of creating a task writes times as strings and calls the video's volume otherwise than Kling does.
    numbers=Numbers.EITHER,
    volume_field=VolumeField.EITHER,
    # Its page of queries lists the products that it takes, with lip-sync and without advanced-lip-sync.
    query_path=QueryPath.BOTH,
)

CHAINHUB = Dialect(
    # Its document shows no answer at all.
    prefixes=("/kling",),
    operations=HANDED_ON,
    spellings=frozenset({Spelling.LEAN}),
)

YUTO = Dialect(
    # Its page of identify-face shows the body and the answer of the one-step product; a page beside it has the path.
    prefixes=("/kling",),
    operations=(ONE_STEP_AS_IDENTIFY, *ONE_STEP),
    spellings=frozenset({Spelling.LEAN}),
    needs_language=True,
)

EZMODEL = Dialect(
    prefixes=("/kling",),
    operations=HANDED_ON,
    message="success",
    spellings=frozenset({Spelling.LEAN, Spelling.SUCCESS_MESSAGE}),
)

DIALECTS: dict[Gateway, Dialect] = {
    Gateway.OFFICIAL: OFFICIAL,
    Gateway.OFFICIAL_CN: OFFICIAL,
    Gateway.COMETAPI: COMETAPI,
    Gateway.CHAINHUB: CHAINHUB,
    Gateway.YUTO: YUTO,
    Gateway.EZMODEL: EZMODEL,
}
