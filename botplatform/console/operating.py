"""The console's routes for what a person does to a platform's state: its dead letters, replays, backups.

    GET  /console/api/dead-letters?after=&limit=&source=&type=&subject=&handler=&text=&since=&until=
                                              {"dead_letters": […]}: up to `limit` (500; at most 1000) behind number
                                              `after` (0), oldest first, as `Operations` describes them
    GET  /console/api/dead-letters/<number>   one of them with its `envelope`, secrets masked; or 404
    POST /console/api/dead-letters/retry      {"numbers": […]} -> {"done": how many there were}
    POST /console/api/dead-letters/drop       the same
    POST /console/api/dead-letters/<number>/edit
                                              {"data": any JSON value} -> {}; a mask stands for what it hides
    POST /console/api/replay                  {"numbers": […] of the log, "handler": "" for all, "dry_run", "effects"}
                                              -> {"replayed": [ids of the new events]}, or, of a dry run,
                                              {"runs": [{"number", and what `Rehearsed.to_dict` gives}]}
    POST /console/api/backup                  {"path": a new file, absolute} -> {"bytes": its size}
    POST /console/api/restore                 {"path": a backup, absolute} -> {"bytes": its size}; the platform starts
                                              anew with it, and with another token

Who may ask, and how errors are told, is as everywhere in the console.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypedDict

from flask import Blueprint, Response, abort

from botplatform.console.exchange import answer, asked_number, asked_search, body
from botplatform.errors import Rejected
from botplatform.hosts.local.operations import PAGE

if TYPE_CHECKING:
    from botplatform.hosts.local.operations import Operations
    from botplatform.hosts.local.platform import Platform

_LIMIT = 500
_LAST_NUMBER = 2**63 - 1


class Chosen(TypedDict):
    """Which dead letters are meant."""

    numbers: list[int]


class Edited(TypedDict):
    """What a dead letter's event is to say instead."""

    data: Any


class Replay(TypedDict):
    """Which logged events are to be handled again, by whom, and how far."""

    numbers: list[int]
    handler: str
    dry_run: bool
    effects: bool


class Backup(TypedDict):
    """Where a copy of the state is, or is to be."""

    path: str


def add_operating(console: Blueprint, platform: Platform) -> None:
    """Add the routes to the console of `platform`; what may use them is checked there."""
    operations = platform.operations
    _add_letters(console, operations)

    def change(path: str, shape: Any, act: Callable[[Any], dict[str, Any]]) -> None:
        console.add_url_rule(f"/api/{path}", path, lambda: answer(act(body(shape))), methods=["POST"])

    change("dead-letters/retry", Chosen, lambda chosen: {"done": operations.retry(_numbers(chosen))})
    change("dead-letters/drop", Chosen, lambda chosen: {"done": operations.drop(_numbers(chosen))})
    change("replay", Replay, lambda asked: _replayed(operations, asked))
    change("backup", Backup, lambda asked: {"bytes": operations.backup(_path(asked))})
    change("restore", Backup, lambda asked: {"bytes": operations.restore(_path(asked))})


def _add_letters(console: Blueprint, operations: Operations) -> None:
    @console.get("/api/dead-letters")
    def dead_letters() -> Response:
        after, limit = asked_number("after", 0, _LAST_NUMBER), asked_number("limit", _LIMIT, PAGE)
        return answer({"dead_letters": operations.dead_letters(asked_search(), after, limit)})

    @console.get("/api/dead-letters/<int:number>")
    def dead_letter(number: int) -> Response:
        try:
            return answer(operations.dead_letter(min(number, _LAST_NUMBER)))
        except Rejected as missing:
            abort(404, str(missing))

    @console.post("/api/dead-letters/<int:number>/edit")
    def edit(number: int) -> Response:
        operations.edit(min(number, _LAST_NUMBER), body(Edited)["data"])
        return answer({})


def _path(asked: Backup) -> Path:
    if "\0" in asked["path"]:
        raise Rejected("no path has a NUL in it", "path")
    return Path(asked["path"])


def _numbers(asked: Chosen | Replay) -> list[int]:
    """Those asked for, none beyond what SQLite can look for."""
    return [min(max(0, number), _LAST_NUMBER) for number in asked["numbers"]]


def _replayed(operations: Operations, asked: Replay) -> dict[str, Any]:
    if asked["dry_run"]:
        return {"runs": operations.rehearse(_numbers(asked), asked["handler"])}
    return {"replayed": operations.replay(_numbers(asked), asked["handler"], asked["effects"])}
