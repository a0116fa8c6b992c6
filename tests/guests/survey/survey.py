"""Contract: what the answers of a survey come to, group by group.

POST …/summary with {"answers":[{"score":N, …},…]}: 200 {"answers":N,"groups":{<group>:{"answers":N,"mean":N,
"median":N,"spread":N},…}}, groups in the order of their names; spread is the population's standard deviation.
The query `by=<name>` names the member that is an answer's group; without it all are one group, "all". Numbers
are rounded to three places.

400 what is not JSON or an answer without its group, 422 a document without answers or with a score that is no
number, 405 another method with `allow: POST`, 404 another path; every refusal is {"error":…}.
"""

import json
import statistics
from collections import defaultdict
from urllib.parse import parse_qs, urlsplit

from componentize_py_types import Err, Ok
from wit_world import exports
from wit_world.imports.streams import StreamError_Closed
from wit_world.imports.types import (
    Fields,
    IncomingRequest,
    Method_Post,
    OutgoingBody,
    OutgoingResponse,
    ResponseOutparam,
)

CHUNK = 4096  # the most that one blocking write takes


class Refusal(Exception):
    """An error of whoever asked."""

    def __init__(self, status: int, reason: str, **fields: str):
        super().__init__(reason)
        self.status, self.fields = status, fields


class IncomingHandler(exports.IncomingHandler):
    def handle(self, request: IncomingRequest, response_out: ResponseOutparam) -> None:
        try:
            answer(response_out, 200, summary_of(request))
        except Refusal as refusal:
            answer(response_out, refusal.status, {"error": str(refusal)}, **refusal.fields)


def summary_of(request: IncomingRequest) -> dict:
    target = urlsplit(request.path_with_query() or "")
    if target.path.rsplit("/", 1)[-1] != "summary":
        raise Refusal(404, "not found")
    if not isinstance(request.method(), Method_Post):
        raise Refusal(405, "only POST", allow="POST")
    by = parse_qs(target.query).get("by", [None])[0]

    groups = defaultdict(list)
    for number, entry in enumerate(answers_in(body_of(request))):
        score = entry.get("score")
        if isinstance(score, bool) or not isinstance(score, (int, float)):
            raise Refusal(422, f"the score of answer {number} is no number")
        if by is not None and by not in entry:
            raise Refusal(400, f"answer {number} has no {by}")
        groups["all" if by is None else str(entry[by])].append(score)
    return {
        "answers": sum(map(len, groups.values())),
        "groups": {group: described(scores) for group, scores in sorted(groups.items())},
    }


def answers_in(body: bytes) -> list[dict]:
    try:
        document = json.loads(body)
    except ValueError as error:
        raise Refusal(400, str(error)) from error
    answers = document.get("answers") if isinstance(document, dict) else None
    if not isinstance(answers, list) or not answers:
        raise Refusal(422, "there are no answers")
    if not all(isinstance(entry, dict) for entry in answers):
        raise Refusal(422, "an answer is no object")
    return answers


def described(scores: list[float]) -> dict:
    return {
        "answers": len(scores),
        "mean": round(statistics.fmean(scores), 3),
        "median": round(statistics.median(scores), 3),
        "spread": round(statistics.pstdev(scores), 3),
    }


def body_of(request: IncomingRequest) -> bytes:
    body = bytearray()
    with request.consume() as incoming, incoming.stream() as stream:
        while True:
            try:
                body += stream.blocking_read(CHUNK)
            except Err as error:
                if isinstance(error.value, StreamError_Closed):
                    return bytes(body)
                raise


def answer(response_out: ResponseOutparam, status: int, value: dict, **fields: str) -> None:
    entries = {"content-type": "application/json", **fields}
    encoded = [(name, field.encode()) for name, field in entries.items()]
    response = OutgoingResponse(Fields.from_list(encoded))
    response.set_status_code(status)
    body = response.body()
    ResponseOutparam.set(response_out, Ok(response))
    content = json.dumps(value).encode()
    with body.write() as stream:
        for at in range(0, len(content), CHUNK):
            stream.blocking_write_and_flush(content[at : at + CHUNK])
    OutgoingBody.finish(body, None)
