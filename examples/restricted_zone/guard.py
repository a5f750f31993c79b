"""A guard for a zone that nobody is to enter: receives what a node posts, and reports who entered it, and when.

    python guard.py --token a-token-of-your-own [--port 8099] [--zone restricted] [--from 18:00 --to 06:00]

Each visit is reported once, when it first touches the zone in the hours that are guarded. The webhook brings each event
at least once, in order; what comes twice has the same id.
"""

import argparse
import hmac
import json
from datetime import datetime, time
from http.server import BaseHTTPRequestHandler, HTTPServer

LARGEST = 1_000_000


class Guard:
    """Decides about events. `guarded` are the hours, local; from and to may lie on both sides of midnight."""

    def __init__(self, zone: str, guarded: tuple[time, time]) -> None:
        self._zone = zone
        self._from, self._to = guarded
        self._reported: dict[str, None] = {}

    def judge(self, event: dict) -> str | None:
        """The alarm of this revision of an event, None where there is none."""
        at = datetime.fromisoformat(event["time"]).astimezone()
        if self._zone not in event["zones"] or event["id"] in self._reported or not self._is_guarded(at.time()):
            return None
        self._reported[event["id"]] = None
        while len(self._reported) > 1000:
            del self._reported[next(iter(self._reported))]
        return f"{at:%Y-%m-%d %H:%M:%S} ALARM: {event['label']} in the {self._zone} zone of {event['camera']}"

    def _is_guarded(self, at: time) -> bool:
        if self._from == self._to:
            return True
        if self._from < self._to:
            return self._from <= at < self._to
        return at >= self._from or at < self._to


def handler_of(guard: Guard, token: str) -> type[BaseHTTPRequestHandler]:
    """What serves the posts of a node that shows this token."""

    class Handler(BaseHTTPRequestHandler):
        timeout = 10  # who connects and says nothing holds up nobody for longer

        def do_POST(self) -> None:
            shown = self.headers.get("Authorization", "")
            said = self.headers.get("Content-Length", "")
            length = int(said) if said.isascii() and said.isdigit() else 0
            if not hmac.compare_digest(shown.encode(), f"Bearer {token}".encode()):
                return self._answer(401)
            if not 0 < length <= LARGEST:
                return self._answer(413)
            try:
                alarm = guard.judge(json.loads(self.rfile.read(length)))
            except (ValueError, LookupError, TypeError):
                return self._answer(422)  # it would never be understood: the node gives it up
            if alarm:
                print(alarm, flush=True)
            return self._answer(204)

        def _answer(self, status: int) -> None:
            self.send_response(status)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_arguments: object) -> None:
            """Alarms alone are printed."""

    return Handler


def main() -> None:
    """Serve until Ctrl-C."""
    asked = argparse.ArgumentParser(description="Reports who enters a zone that nobody is to enter.")
    asked.add_argument("--token", required=True, help="the token of the webhook, as in blikk.yaml")
    asked.add_argument("--port", type=int, default=8099, help="where the node posts to, on this machine (8099)")
    asked.add_argument("--zone", default="restricted", help="the zone's name (restricted)")
    asked.add_argument("--from", dest="since", type=time.fromisoformat, default=time(0), help="guarded from, as 18:00")
    asked.add_argument("--to", type=time.fromisoformat, default=time(0), help="guarded to, as 06:00")
    given = asked.parse_args()
    guard = Guard(given.zone, (given.since, given.to))
    with HTTPServer(("127.0.0.1", given.port), handler_of(guard, given.token)) as server:
        print(f"listening on port {server.server_port}", flush=True)
        server.serve_forever()


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        print("stopped")
