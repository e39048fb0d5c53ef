"""How large files come to the Hub: asked for in batches, put one by one, verified."""

import base64
from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import unquote

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.types import Message

from tests.hub.state import Fault, Repo


class Refusal(Exception):
    """An answer that ends a request."""

    def __init__(self, status: int, code: str = "", said: str = "", **body: str) -> None:
        super().__init__(said or code)
        headers = {"X-Error-Code": code} if code else {}
        headers |= {"X-Error-Message": said} if said else {}
        self.response = JSONResponse({"error": said or code, **body}, status, headers)


class Uploads:
    """The part of a Hub that takes large files. Its state is `repos`, `faults` and `log`: read it, and spoil it."""

    url: str

    def __init__(self) -> None:
        """Begin empty."""
        self.repos: dict[str, Repo] = {}
        self.faults: list[Fault] = []
        self.log: list[str] = []
        """Each request: its method and path."""

    def struck(self, where: str, address: str) -> Fault | None:
        """The fault that a request meets. Raises Refusal where it is a status."""
        fault = next((fault for fault in self.faults if fault.strikes(where, address)), None)
        if fault and fault.kind == "status":
            fault.met.set()
            raise Refusal(fault.status, fault.code, "ordered by a test")
        if fault and fault.kind == "do":
            fault.do()
            fault.met.set()
            return None
        return fault

    def actions_for(self, repo: Repo, objects: list[dict[str, Any]]) -> Response:
        """What is to be done for each of some large files: nothing for those that were sent before."""
        key = base64.urlsafe_b64encode(f"{repo.kind}s/{repo.name}".encode()).decode()
        answers = []
        for asked in objects:
            answer = {"oid": asked["oid"], "size": asked["size"]}
            if asked["oid"] not in repo.blobs:
                upload = {"href": f"{self.url}/lfs/{asked['oid']}?repo={key}", "header": {}}
                verify = {"href": f"{self.url}/lfs/verify?repo={key}", "header": {}}
                answer["actions"] = {"upload": upload, "verify": verify}
            answers.append(answer)
        return JSONResponse({"transfer": "basic", "objects": answers})

    async def put(self, request: Request) -> Response:
        """Take the bytes of a large file."""
        repo, oid = self._sent_to(request), request.path_params["oid"]
        address = f"{repo.name}/{oid}"
        self.log.append(f"PUT {address}")
        fault, data = self.struck("put", address), b""
        async for chunk in request.stream():
            data += chunk
            if fault and len(data) >= fault.after:
                await strike(fault, request)
                return Response(status_code=500)
        repo.blobs[oid] = data
        return Response()

    async def verify(self, request: Request) -> Response:
        """Say whether a large file arrived whole."""
        repo, asked = self._sent_to(request), await request.json()
        if len(repo.blobs.get(asked["oid"], b"")) != asked["size"]:
            raise Refusal(422, said="the file did not arrive whole")
        return Response()

    def _sent_to(self, request: Request) -> Repo:
        return self.repos[base64.urlsafe_b64decode(request.query_params["repo"]).decode()]


async def struck_body(data: bytes, fault: Fault, request: Request) -> AsyncIterator[bytes]:
    """The first bytes of an answer, and then the fault."""
    yield data[: fault.after]
    await strike(fault, request)


async def strike(fault: Fault, request: Request) -> None:
    """Cut the connection now, or hold it until the client is gone."""
    fault.met.set()
    if fault.kind == "hold":
        message: Message = {"type": ""}
        while message["type"] != "http.disconnect":
            message = await request.receive()
    else:
        # uvicorn has no name for this: its `receive` belongs to the cycle of the request, which knows the connection.
        request.receive.__self__.transport.abort()  # type: ignore[attr-defined]


def address_of(request: Request) -> str:
    """The path of a request, in plain letters."""
    return unquote(request.url.path)
