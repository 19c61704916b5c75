"""What a media file's own header says: kind, length, size of the picture, codecs.

A prober asks for byte ranges and touches no file and no socket itself, so that the same code serves a file, bytes in
memory and a remote URL.
"""

from .info import ByteRange, MediaInfo, Steps, UnreadableMedia
from .probe import probe, probe_bytes, probe_file

__all__ = ["ByteRange", "MediaInfo", "Steps", "UnreadableMedia", "probe", "probe_bytes", "probe_file"]
