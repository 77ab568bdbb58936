"""A WebSocket's other end. (``channels.testing`` cannot be imported without daphne.)"""

from __future__ import annotations

import json
from typing import Any

from asgiref.testing import ApplicationCommunicator


class WebsocketCommunicator(ApplicationCommunicator):
    """Speaks to a consumer as a browser would."""

    def __init__(self, application: Any, user: Any) -> None:
        scope = {"type": "websocket", "path": "/ws/", "headers": [], "subprotocols": [], "user": user}
        super().__init__(application, scope)

    async def connect(self) -> None:
        await self.send_input({"type": "websocket.connect"})
        assert (await self.receive_output(5))["type"] == "websocket.accept"

    async def send_to(self, text_data: str) -> None:
        await self.send_input({"type": "websocket.receive", "text": text_data})

    async def send_json_to(self, content: dict[str, Any]) -> None:
        await self.send_to(json.dumps(content))

    async def receive_json_from(self, timeout: float) -> dict[str, Any]:
        received = await self.receive_output(timeout)
        assert received["type"] == "websocket.send", received
        decoded: dict[str, Any] = json.loads(received["text"])
        return decoded

    async def disconnect(self) -> None:
        await self.send_input({"type": "websocket.disconnect", "code": 1000})
        await self.wait(5)
