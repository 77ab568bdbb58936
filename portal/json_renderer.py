"""JSON as REST sends it, by orjson: the same words for the same things, in a fraction of the time."""

from __future__ import annotations

from typing import Any

import orjson
from rest_framework.renderers import JSONRenderer

#: Times and keys as Django REST framework has them.
OPTIONS = orjson.OPT_PASSTHROUGH_DATETIME | orjson.OPT_NON_STR_KEYS


class FastJSONRenderer(JSONRenderer):
    """Who asks for an indent, and what orjson refuses (numbers beyond 64 bits), is served as ever."""

    def render(self, data: Any, accepted_media_type: Any = None, renderer_context: Any = None) -> bytes:
        if data is None or self.get_indent(accepted_media_type, renderer_context or {}) is not None:
            return super().render(data, accepted_media_type, renderer_context)  # type: ignore[no-any-return]
        try:
            said = orjson.dumps(data, default=self.encoder_class().default, option=OPTIONS)
        except TypeError:
            return super().render(data, accepted_media_type, renderer_context)  # type: ignore[no-any-return]
        # A strict subset of JavaScript, as it was.
        return said.replace(b"\xe2\x80\xa8", b"\\u2028").replace(b"\xe2\x80\xa9", b"\\u2029")
