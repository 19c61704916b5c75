"""What a file is that is not read here, told from its first bytes: so that the message can say it."""

from __future__ import annotations

import re
from codecs import getincrementaldecoder

BEGINNING = 512
"""Bytes that tell what a file is."""

BEGINNINGS = (
    (b"fLaC", "a FLAC file"),
    (b"OggS", "an Ogg file"),
    (b"GIF8", "a GIF picture"),
    (b"\x89PNG\r\n\x1a\n", "a PNG picture"),
    (b"\xff\xd8\xff", "a JPEG picture"),
    (b"BM", "a BMP picture"),
    (b"FLV\x01", "a Flash video"),
    (b"0&\xb2u\x8ef\xcf\x11", "a Windows Media (ASF) file"),
    (b"\x00\x00\x01\xba", "an MPEG program stream"),
    (b"\x00\x00\x01\xb3", "an MPEG video stream"),
    (b"FORM", "an AIFF file"),
    (b"caff", "a CAF file"),
    (b"#!AMR", "an AMR file"),
    (b"ADIF", "an AAC file with an ADIF header"),
    (b"MThd", "a MIDI file"),
    (b"#EXTM3U", "an HLS playlist"),
    (b"%PDF-", "a PDF document"),
    (b"PK\x03\x04", "a ZIP archive"),
    (b"\x1f\x8b", "a gzip archive"),
)
EBML = b"\x1a\x45\xdf\xa3"
RIFF_FORMS = {b"AVI ": "an AVI file", b"WEBP": "a WebP picture"}
ISO_BOXES = (b"ftyp", b"moov", b"mdat", b"free", b"skip", b"wide", b"pnot", b"styp", b"sidx", b"moof", b"uuid")
"""What an ISO file may begin with, after four bytes for its length."""
TRANSPORT_PACKET = 188
MARKUP = re.compile(rb"<(!doctype html|html|head|body|title)\b", re.IGNORECASE)
JSON = re.compile(rb"""[{\[]\s*(["{\[}\]0-9-]|true|false|null)""")


WAVE_BEGINNINGS = (b"RIFF", b"RF64", b"BW64")


def is_movie(head: bytes) -> bool:
    """Whether the bytes begin an ISO file: mp4, mov, m4a and their relations."""
    return head[4:8] in ISO_BOXES


def is_wave(head: bytes) -> bool:
    """Whether the bytes begin a WAVE file."""
    return head[:4] in WAVE_BEGINNINGS and head[8:12] == b"WAVE"


def foreign(head: bytes) -> str | None:
    """What else the bytes begin, None where that is not known."""
    if not head:
        return "an empty file"
    named = next((name for beginning, name in BEGINNINGS if head.startswith(beginning)), None)
    return named or _container(head) or _text(head)


def _container(head: bytes) -> str | None:
    if head.startswith(EBML):
        return "a WebM file" if b"webm" in head[:64] else "a Matroska file"
    if head.startswith(b"RIFF"):
        return RIFF_FORMS.get(head[8:12], "a RIFF file that is not WAVE")
    if head[:1] == b"G" == head[TRANSPORT_PACKET : TRANSPORT_PACKET + 1]:
        return "an MPEG transport stream"
    return None


def _text(head: bytes) -> str | None:
    text = head.removeprefix(b"\xef\xbb\xbf").lstrip()
    if MARKUP.match(text) or (text.startswith(b"<") and MARKUP.search(text)):
        return "an HTML page"
    if text.startswith(b"<") and text[1:2] in b"?!abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ":
        return "an XML document"
    if JSON.match(text):
        return "JSON"
    return "text" if _is_text(text) else None


def _is_text(data: bytes) -> bool:
    """Whether the bytes are UTF-8, perhaps cut within a character, without control characters."""
    try:
        text = getincrementaldecoder("utf-8")().decode(data)
    except UnicodeDecodeError:
        return False
    return bool(text) and all(character.isprintable() or character.isspace() for character in text)
