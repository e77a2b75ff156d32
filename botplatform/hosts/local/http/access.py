"""Who may ask for what is not signed: this machine, or whoever has the token, and no page of another site."""

from __future__ import annotations

import hmac
from urllib.parse import urlsplit

from botplatform.hosts.local.http.messages import Request, Response, refusal

_LOOPBACK = {"127.0.0.1", "::1", "localhost"}
_CHALLENGE = (("WWW-Authenticate", 'Basic realm="botplatform: any name, the events token as password"'),)


class Access:
    """Lets in this machine, under one of its names or the `allowed_hosts`, and with the `token`, if there is one."""

    def __init__(self, allowed_hosts: tuple[str, ...], token: str) -> None:
        self._names = {*_LOOPBACK, *allowed_hosts}
        self._token = token

    def refused(self, request: Request) -> Response | None:
        """Refuse what another site's page sends, or what asks under a name that is not ours (DNS rebinding)."""
        headers = request.headers
        named = headers.get("host", "")
        host = _host_in(named)
        if host not in self._names:
            return refusal(403, f"this is not for {host}: BOTPLATFORM_ALLOWED_HOSTS names further hosts")
        origin = headers.get("origin")
        if origin is not None and origin not in (f"http://{named}", f"https://{named}"):
            return refusal(403, f"not from a page of {origin}")
        if headers.get("sec-fetch-site", "none") not in ("none", "same-origin"):
            return refusal(403, "not from a page of another site")
        if self._token and not self._is_shown(headers.get("authorization", "")):
            return refusal(401, "BOTPLATFORM_EVENTS_TOKEN is missing or wrong", _CHALLENGE)
        return None

    def _is_shown(self, authorization: str) -> bool:
        from werkzeug.datastructures import Authorization

        given = Authorization.from_header(authorization)
        shown = (given.token or given.password or "") if given else ""
        return hmac.compare_digest(shown.encode(), self._token.encode())


def _host_in(header: str) -> str:
    try:
        return (urlsplit(f"//{header}").hostname or "").lower()
    except ValueError:
        return header
