"""A form with a file -> its fields, with a bound on what is read: FastAPI's own forms would write any number of bytes to the disk first."""

from fastapi import HTTPException, Request
from starlette.datastructures import FormData, UploadFile
from starlette.types import Message

MOST_FIELDS = 20
FIELD_BYTES = 4096
BESIDE_BYTES = 64 * 1024
"""Fields, names and boundaries beside the file."""


async def read_form(request: Request, *, file_bytes: int) -> FormData:
    """Raises HTTPException: 413 as soon as it is too large, 400 where it is no form."""
    most = file_bytes + BESIDE_BYTES
    announced = request.headers.get("content-length", "")
    if announced.isdecimal() and int(announced) > most:
        raise _too_large(most)
    received = 0

    async def receive() -> Message:
        nonlocal received
        message = await request.receive()
        received += len(message.get("body", b""))
        if received > most:  # sent in pieces, without saying how many
            raise _too_large(most)
        return message

    return await Request(request.scope, receive).form(max_files=1, max_fields=MOST_FIELDS, max_part_size=FIELD_BYTES)


async def file_in(form: FormData, name: str) -> bytes | None:
    """None where there is none. Raises HTTPException where it is no file."""
    found = form.get(name)
    if found is None:
        return None
    if not isinstance(found, UploadFile):
        raise HTTPException(422, f"{name}: expected a file")
    return await found.read()


def _too_large(most: int) -> HTTPException:
    return HTTPException(413, f"body: expected at most {most} bytes")
