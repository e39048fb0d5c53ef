"""How a Hub lists the discussions of a repository, a page at a time; of these it has pull requests alone."""

from collections.abc import Mapping

from starlette.responses import JSONResponse, Response

from tests.hub.state import Repo

PAGE = 2
"""Discussions on a page: few, so that a client has to turn it."""


def discussions(repo: Repo, asked: Mapping[str, str]) -> Response:
    """A page of those asked for, the newest first."""
    wanted = [
        pull
        for pull in reversed(repo.pulls)
        if asked.get("type", "all") in ("all", "pull_request")
        and asked.get("status", "all") in ("all", "open" if pull.status == "open" else "closed")
        and asked.get("author", pull.author) == pull.author
    ]
    start = int(asked.get("p", "0")) * PAGE
    told = [
        {
            "num": pull.num,
            "title": pull.title,
            "status": pull.status,
            "author": {"name": pull.author},
            "createdAt": "2026-01-01T00:00:00.000Z",
            "isPullRequest": True,
            "repo": {"name": repo.name, "type": repo.kind},
        }
        for pull in wanted[start : start + PAGE]
    ]
    return JSONResponse({"discussions": told, "count": len(wanted), "start": start})
