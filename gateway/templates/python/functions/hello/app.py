"""GET /api/hello?name=Ada and GET /api/hello/Ada answer {"message": "Hello, Ada"}."""

import json
from urllib.parse import parse_qs, urlsplit

from componentize_py_types import Ok
from wit_world import exports
from wit_world.imports.types import (
    Fields,
    IncomingRequest,
    OutgoingBody,
    OutgoingResponse,
    ResponseOutparam,
)


class IncomingHandler(exports.IncomingHandler):
    def handle(self, request: IncomingRequest, response_out: ResponseOutparam) -> None:
        name = parameter(request, "name") or "world"
        answer(response_out, 200, {"message": f"Hello, {name}"})


def parameter(request: IncomingRequest, name: str) -> str | None:
    """A parameter of the path, which the gateway tells in a header, else the first of that name in the query."""
    for value in request.headers().get(f"x-headgate-param-{name}"):
        return value.decode(errors="replace")
    query = parse_qs(urlsplit(request.path_with_query() or "").query)
    return query.get(name, [None])[0]


def answer(response_out: ResponseOutparam, status: int, value: object) -> None:
    response = OutgoingResponse(Fields.from_list([("content-type", b"application/json")]))
    response.set_status_code(status)
    body = response.body()
    ResponseOutparam.set(response_out, Ok(response))
    with body.write() as stream:
        # At most 4096 bytes go into one such call; an answer that may be longer is written in pieces.
        stream.blocking_write_and_flush(json.dumps(value).encode())
    OutgoingBody.finish(body, None)
