"""/ws/live: a page says what it looks at (JSON text), and gets binary packets (see packets.py)."""

import asyncio
import logging
from contextlib import suppress

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from starlette.websockets import WebSocket, WebSocketDisconnect

from services.dashboard.hub import Hub, Look, Viewer

log = logging.getLogger(__name__)
SEND_S = 5.0
"""A browser that takes no packet for this long is dropped; it will come back when it can."""


class LookMessage(BaseModel):
    model_config = ConfigDict(extra="ignore")

    pictures: list[str] = Field(default_factory=list, max_length=256)
    line: str | None = None
    hidden: bool = False

    def look(self) -> Look:
        return Look(frozenset(self.pictures), self.line, self.hidden)


async def serve_live(websocket: WebSocket, hub: Hub) -> None:
    await websocket.accept()
    viewer = hub.join()
    sending = asyncio.create_task(_send(websocket, viewer))
    listening = asyncio.create_task(_listen(websocket, hub, viewer))
    try:
        done, _ = await asyncio.wait((sending, listening), return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            if (error := task.exception()) and not isinstance(error, WebSocketDisconnect):
                log.debug("page dropped: %r", error)
    finally:
        hub.leave(viewer)
        for task in (sending, listening):
            task.cancel()
        await asyncio.gather(sending, listening, return_exceptions=True)
        with suppress(RuntimeError, TimeoutError, WebSocketDisconnect):
            async with asyncio.timeout(1):
                await websocket.close()


async def _send(websocket: WebSocket, viewer: Viewer) -> None:
    while True:
        packet = await viewer.next()
        async with asyncio.timeout(SEND_S):
            await websocket.send_bytes(packet)


async def _listen(websocket: WebSocket, hub: Hub, viewer: Viewer) -> None:
    while True:
        message = await websocket.receive_text()
        try:
            hub.turn(viewer, LookMessage.model_validate_json(message).look())
        except ValidationError as error:
            log.debug("page said %.200r: %s", message, error)
