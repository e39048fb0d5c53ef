"""The Hub's endpoints, as far as huggingface_hub, datasets and transformers call them, in a thread of the tests."""

import base64
import json
import socket
import threading
from pathlib import Path
from typing import Any, Self
from urllib.parse import parse_qs, unquote

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from tests.hub.discussions import discussions
from tests.hub.state import LARGE, Commit, Fault, Repo
from tests.hub.uploads import Refusal, Uploads, address_of, strike, struck_body

TOKEN, READER = "hf_writes_to_my_org", "hf_only_reads"
NAMESPACES = ("my-org", "strangers")
"""Where repositories may be; `TOKEN` writes to the first alone."""


class HubServer(Uploads):
    """A Hub of one's own on a free port. Its state is `repos`, `faults` and `log`: read it, and spoil it."""

    token, reader = TOKEN, READER

    def __init__(self, home: Path) -> None:
        """`home` takes the HF_HOME of the clients."""
        super().__init__()
        self.home = home
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._socket.getsockname()[1]}"
        config = uvicorn.Config(self._app(), log_config=None, lifespan="off", ws="none", timeout_graceful_shutdown=1)
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(target=self._server.run, kwargs={"sockets": [self._socket]}, daemon=True)

    def __enter__(self) -> Self:
        """Begin to serve."""
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Stop, and wait until it has."""
        self._server.should_exit = True
        self._thread.join(30)
        self._socket.close()

    def env(self, **more: str) -> dict[str, str]:
        """The environment of a client in a process of its own: this Hub, a home of its own, the token that writes."""
        return {
            "HF_ENDPOINT": self.url,
            "HF_HOME": str(self.home / "hf"),
            "KBENCH_CACHE": str(self.home / "cache"),
            "HF_TOKEN": TOKEN,
            "HF_HUB_DISABLE_XET": "1",
            "HF_HUB_DISABLE_TELEMETRY": "1",
            "HF_HUB_OFFLINE": "0",
            "HF_DATASETS_OFFLINE": "0",
            **more,
        }

    def repo(self, name: str, kind: str = "dataset") -> Repo:
        """A repository, made if there is none of this name."""
        return self.repos.setdefault(f"{kind}s/{name}", Repo(kind, name))

    def fault(self, fault: Fault) -> Fault:
        """Order a fault."""
        self.faults.append(fault)
        return fault

    def counted(self, method: str, part: str) -> int:
        """How many requests there were of a method, whose path holds a part."""
        return sum(line.startswith(method + " ") and part in line for line in self.log)

    # ---- the endpoints

    def _app(self) -> Starlette:
        api = "/api/{kind:str}/{org:str}/{name:str}"
        routes = [
            Route("/api/whoami-v2", self._whoami),
            Route("/api/repos/create", self._create, methods=["POST"]),
            Route("/api/validate-yaml", self._validate, methods=["POST"]),
            Route(api, self._info),
            Route(api + "/revision/{revision:str}", self._info),
            Route(api + "/refs", self._refs),
            Route(api + "/tag/{revision:str}", self._tag, methods=["POST"]),
            Route(api + "/tree/{revision:str}", self._tree),
            Route(api + "/tree/{revision:str}/{path:path}", self._tree),
            Route(api + "/paths-info/{revision:path}", self._paths, methods=["POST"]),
            Route(api + "/preupload/{revision:str}", self._preupload, methods=["POST"]),
            Route(api + "/commit/{revision:str}", self._commit, methods=["POST"]),
            Route(api + "/discussions", self._discussions),
            Route("/lfs/{oid:str}", self.put, methods=["PUT"]),
            Route("/lfs/verify", self.verify, methods=["POST"]),
        ]
        for prefix in ("/{kind:str}/{org:str}/{name:str}", "/{org:str}/{name:str}"):
            routes.append(Route(prefix + ".git/info/lfs/objects/batch", self._batch, methods=["POST"]))
            routes.append(Route(prefix + "/resolve/{revision:str}/{path:path}", self._resolve))
        return Starlette(routes=routes, exception_handlers={Refusal: _refused})

    def _who(self, request: Request, *, writes: str = "") -> str:
        """Whose token it is. `writes` is the namespace that is to be written."""
        self.log.append(f"{request.method} {request.url.path}")
        said = request.headers.get("authorization", "").removeprefix("Bearer ")
        if said not in ("", TOKEN, READER):
            raise Refusal(401, said="Invalid credentials in Authorization header")
        if writes and not said:
            raise Refusal(401, said="Invalid username or password.")
        if writes and (said == READER or writes != NAMESPACES[0]):
            raise Refusal(403, said="You don't have the rights to write to this namespace")
        return said

    def _open(self, request: Request, *, writes: bool = False) -> Repo:
        """The repository of a request. One that is private is not there for whoever has no token."""
        part = request.path_params
        # Whoever may write anywhere may propose anything to anybody.
        org = NAMESPACES[0] if request.query_params.get("create_pr") else part["org"]
        who = self._who(request, writes=org if writes else "")
        repo = self.repos.get(f"{part.get('kind', 'models')}/{part['org']}/{part['name']}")
        if repo is None or (repo.private and not who):
            raise Refusal(404 if who else 401, "RepoNotFound", "Repository not found")
        return repo

    def _at(self, request: Request, repo: Repo) -> Commit:
        revision = unquote(request.path_params.get("revision", "main"))
        found = repo.at(revision)
        if found is None:
            raise Refusal(404, "RevisionNotFound", f"Invalid rev id: {revision}")
        return found

    async def _whoami(self, request: Request) -> Response:
        who = self._who(request, writes=NAMESPACES[0])
        return JSONResponse({"type": "user", "name": NAMESPACES[0], "auth": {"type": who}, "orgs": []})

    async def _create(self, request: Request) -> Response:
        asked = await request.json()
        org = asked.get("organization") or NAMESPACES[0]
        self._who(request, writes=org)
        kind, name = asked.get("type") or "model", f"{org}/{asked['name']}"
        url = f"{self.url}/{'' if kind == 'model' else kind + 's/'}{name}"
        if f"{kind}s/{name}" in self.repos:
            raise Refusal(409, said="You already created this repo", url=url)
        self.repo(name, kind).private = asked.get("visibility") == "private" or bool(asked.get("private"))
        return JSONResponse({"url": url, "name": name})

    async def _validate(self, request: Request) -> Response:
        self._who(request)
        return JSONResponse({"errors": [], "warnings": []})

    async def _info(self, request: Request) -> Response:
        self.struck("info", address_of(request))
        repo = self._open(request)
        commit = self._at(request, repo)
        return JSONResponse(
            {
                "id": repo.name,
                "sha": commit.sha,
                "private": repo.private,
                "tags": [],
                "downloads": 0,
                "likes": 0,
                "siblings": [{"rfilename": path} for path in sorted(commit.files)],
            }
        )

    async def _refs(self, request: Request) -> Response:
        repo = self._open(request)
        tags = [{"name": n, "ref": f"refs/tags/{n}", "targetCommit": sha} for n, sha in repo.tags.items()]
        branch = {"name": "main", "ref": "refs/heads/main", "targetCommit": repo.head.sha}
        return JSONResponse({"branches": [branch], "converts": [], "tags": tags})

    async def _tag(self, request: Request) -> Response:
        repo = self._open(request, writes=True)
        tag, commit = (await request.json())["tag"], self._at(request, repo)
        if tag in repo.tags:
            raise Refusal(409, said=f"Tag reference exists already: {tag}")
        repo.tags[tag] = commit.sha
        return JSONResponse({})

    async def _tree(self, request: Request) -> Response:
        repo = self._open(request)
        files = self._at(request, repo).files
        top = unquote(request.path_params.get("path", "")).strip("/")
        under = f"{top}/" if top else ""
        deep = request.query_params.get("recursive", "").lower() in ("true", "1")
        mine = {path: file for path, file in sorted(files.items()) if path.startswith(under)}
        if top and not mine:
            raise Refusal(404, "EntryNotFound", f"{top} does not exist")
        folders = {
            path[: at + len(under)]: None
            for path in mine
            for at in [i for i, letter in enumerate(path[len(under) :]) if letter == "/"]
        }
        entries = [{"type": "directory", "path": path, "oid": "0" * 40, "size": 0} for path in folders]
        entries += [file.listed(path) for path, file in mine.items()]
        return JSONResponse([e for e in entries if deep or "/" not in str(e["path"])[len(under) :]])

    async def _paths(self, request: Request) -> Response:
        repo = self._open(request)
        files = self._at(request, repo).files
        if "json" in request.headers.get("content-type", ""):
            asked = [str(path) for path in (await request.json())["paths"]]
        else:
            asked = parse_qs((await request.body()).decode()).get("paths", [])  # Starlette's own wants another library
        found: list[dict[str, Any]] = [files[path].listed(path) for path in asked if path in files]
        folders = [path for path in asked if any(each.startswith(f"{path}/") for each in files)]
        found += [{"type": "directory", "path": path, "oid": "0" * 40, "size": 0} for path in folders]
        return JSONResponse(found)

    async def _preupload(self, request: Request) -> Response:
        repo = self._open(request, writes=True)
        files = self._at(request, repo).files
        said = []
        ignored = files[".gitignore"].data.decode().split() if ".gitignore" in files else []
        for asked in (await request.json())["files"]:
            old = files.get(asked["path"])
            entry = {"path": asked["path"], "shouldIgnore": asked["path"].startswith(tuple(ignored))}
            entry["uploadMode"] = "lfs" if asked["path"].endswith(LARGE) else "regular"
            said.append(entry | ({"oid": old.sha256 if old.large else old.blob} if old else {}))
        return JSONResponse({"files": said})

    async def _batch(self, request: Request) -> Response:
        repo = self._open(request, writes=True)
        return self.actions_for(repo, (await request.json())["objects"])

    async def _commit(self, request: Request) -> Response:
        repo = self._open(request, writes=True)
        lines = [json.loads(line) for line in (await request.body()).splitlines()]
        fault = self.struck("commit", address_of(request))
        if fault and fault.kind == "cut":
            await strike(fault, request)
            return Response(status_code=500)
        header = lines[0]["value"]
        if header.get("parentCommit") not in (None, repo.head.sha):
            raise Refusal(412, said="A commit has happened since. Please refresh and try again.")
        changes: dict[str, bytes | None] = {}
        for line in lines[1:]:
            value = line["value"]
            if line["key"] == "file":
                changes[value["path"]] = base64.b64decode(value["content"])
            elif line["key"] == "lfsFile":
                if value["oid"] not in repo.blobs:
                    raise Refusal(400, said=f"LFS pointer pointed to a file that does not exist: {value['path']}")
                changes[value["path"]] = repo.blobs[value["oid"]]
            elif line["key"] == "deletedFile":
                changes[value["path"]] = None
            else:
                changes |= dict.fromkeys(path for path in repo.files if path.startswith(value["path"]))
        place = f"{self.url}/{'' if repo.kind == 'model' else f'{repo.kind}s/'}{repo.name}"
        answer = {"success": True, "hookOutput": ""}
        if request.query_params.get("create_pr"):
            pull = repo.propose(changes, header["summary"], header["description"], NAMESPACES[0])
            made = pull.proposed
            answer["pullRequestUrl"] = f"{place}/discussions/{pull.num}"
        else:
            made = repo.commit(changes, header["summary"])
        if fault:
            await strike(fault, request)
        return JSONResponse(answer | {"commitOid": made.sha, "commitUrl": f"{place}/commit/{made.sha}"})

    async def _discussions(self, request: Request) -> Response:
        return discussions(self._open(request), request.query_params)

    async def _resolve(self, request: Request) -> Response:
        repo = self._open(request)
        commit, path = self._at(request, repo), unquote(request.path_params["path"])
        file = commit.files.get(path)
        if file is None:
            raise Refusal(404, "EntryNotFound", "Entry not found")
        data = repo.served.get(path, file.data)
        headers = {"X-Repo-Commit": commit.sha, "ETag": f'"{file.sha256 if file.large else file.blob}"'}
        headers |= {"Accept-Ranges": "bytes", "Access-Control-Allow-Origin": "*"}
        if request.method == "HEAD":
            return Response(headers=headers | {"Content-Length": str(len(data))})
        fault, status = self.struck("get", address_of(request)), 200
        span = request.headers.get("range", "").removeprefix("bytes=")
        if span:
            first, _, last = span.partition("-")
            start = int(first) if first else len(data) - int(last)
            end = min(int(last) + 1 if first and last else len(data), len(data))
            headers["Content-Range"] = f"bytes {start}-{end - 1}/{len(data)}"
            data, status = data[start:end], 206
        headers["Content-Length"] = str(len(data))
        headers["Content-Type"] = "application/octet-stream"
        if fault is None:
            return Response(data, status, headers)
        return StreamingResponse(struck_body(data, fault, request), status, headers)


async def _refused(request: Request, refusal: Exception) -> Response:
    assert isinstance(refusal, Refusal)
    await request.body()  # what is left unread would pass for the next request
    return refusal.response
