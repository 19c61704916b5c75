"""Every name and word that travels between us and Kling, and every other spelling met on the way.

The first name of a tuple is Kling's own (Kling's documentation of lip-sync, text-to-speech and account information);
the others are those of gateways: their documentation, or their published source (the family of one-api relays).
"""

from __future__ import annotations

from collections.abc import Mapping

from ..models import TaskStatus

# Requests: names of fields and parameters.
VIDEO_ID = "video_id"
VIDEO_URL = "video_url"
SESSION_ID = "session_id"
FACE_CHOOSE = "face_choose"
FACE_ID = "face_id"
AUDIO_ID = "audio_id"
SOUND_FILE = "sound_file"
SOUND_START_TIME = "sound_start_time"
SOUND_END_TIME = "sound_end_time"
SOUND_INSERT_TIME = "sound_insert_time"
SOUND_VOLUME = "sound_volume"
ORIGINAL_AUDIO_VOLUME = "original_audio_volume"
WATERMARK_INFO = "watermark_info"
ENABLED = "enabled"
EXTERNAL_TASK_ID = "external_task_id"
CALLBACK_URL = "callback_url"
PAGE_NUM = "pageNum"
PAGE_SIZE = "pageSize"
START_TIME = "start_time"
END_TIME = "end_time"
TEXT = "text"
VOICE_ID = "voice_id"
VOICE_LANGUAGE = "voice_language"
VOICE_SPEED = "voice_speed"

# Requests of the older one-step contract.
INPUT = "input"
MODE = "mode"
AUDIO_TO_VIDEO = "audio2video"
TEXT_TO_VIDEO = "text2video"
AUDIO_TYPE = "audio_type"
AUDIO_TYPE_FILE = "file"
AUDIO_TYPE_URL = "url"
AUDIO_FILE = "audio_file"
AUDIO_URL = "audio_url"

# Answers: the envelope, and what refuses.
CODE = "code"
DATA = "data"
ERROR = "error"
ERROR_TYPE = "type"
MESSAGES = ("message", "msg", "detail")
REQUEST_ID = "request_id"
SUCCESS = "success"

# Answers: a face session.
FACES = ("face_data", "face_list")
FACE_IMAGE = "face_image"

# Answers: a task. A gateway's own state stands before that of the answer it keeps inside.
TASK_ID = "task_id"
OBJECT = "object"
VIDEO_OBJECT = "video"
VIDEO_OBJECT_ID = "id"
STATUS = ("status", "task_status")
STATUS_MESSAGE = ("task_status_msg", "fail_reason")
TASK_INFO = "task_info"
TASK_RESULT = "task_result"
VIDEOS = "videos"
AUDIOS = "audios"
ID = "id"
URL = "url"
WATERMARK_URL = "watermark_url"
DURATION = "duration"
RESULT_URLS = ("result_url", "video_url", "url", "fail_reason")
RESULT_SECONDS = ("seconds",)
METADATA = "metadata"
UNITS = ("final_unit_deduction",)
CREATED = ("created_at", "submit_time")
UPDATED = ("updated_at", "completed_at", "finish_time")

STATUS_WORDS: Mapping[str, TaskStatus] = {
    "submitted": TaskStatus.SUBMITTED,
    "queued": TaskStatus.SUBMITTED,
    "pending": TaskStatus.SUBMITTED,
    "not_start": TaskStatus.SUBMITTED,
    "processing": TaskStatus.PROCESSING,
    "in_progress": TaskStatus.PROCESSING,
    "running": TaskStatus.PROCESSING,
    "succeed": TaskStatus.SUCCEED,
    "succeeded": TaskStatus.SUCCEED,
    "success": TaskStatus.SUCCEED,
    "completed": TaskStatus.SUCCEED,
    "failed": TaskStatus.FAILED,
    "failure": TaskStatus.FAILED,
}
"""Words for a task's state, in lower case; any other word means that it still runs."""

RUNNING_WORDS = frozenset(word for word, status in STATUS_WORDS.items() if not status.ended)

# Answers: resource packs.
PACKS = "resource_pack_subscribe_infos"
PACK_NAME = "resource_pack_name"
PACK_ID = "resource_pack_id"
PACK_TYPE = "resource_pack_type"
PACK_TOTAL = "total_quantity"
PACK_REMAINING = "remaining_quantity"
PACK_STARTS = "effective_time"
PACK_ENDS = "invalid_time"
PACK_STATUS = "status"

GATEWAY_WORDS: Mapping[str, int] = {
    "invalid_api_key": 1002,
    "insufficient_quota": 1102,
    "insufficient_user_quota": 1102,
    "pre_consume_token_quota_failed": 1102,
    "access_denied": 1103,
    "task_not_exist": 1203,
    "sensitive_words_detected": 1301,
    "prompt_blocked": 1301,
    "upstream_load_saturated": 1302,
    "token_concurrency_limit_reached": 1303,
}
"""What gateways say in words, as the code that Kling has for the same."""

# Headers, in lower case.
AUTHORIZATION = "authorization"
BEARER = "Bearer "
CONTENT_TYPE = "content-type"
DATE = "date"
LOCATION = "location"
RETRY_AFTER = "retry-after"
X_REQUEST_ID = "x-request-id"
JSON_TYPE = "application/json"
