"""A stand-in for the server of Weights & Biases: what agents and runs ask for, on this machine alone.

It answers GraphQL's queries of `wandb agent`, and of runs as far as they need to start, log and end; what they send is
kept. Commands for the agent are handed out one heartbeat after the other.
"""

import json
import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import yaml


class StandIn:
    """Hold a sweep, the commands of its trials, and what came in.

    Args:
        sweep: content of a sweep file.
        trials: values of the parameters of each trial.
        stop: says of a trial, by its index and the rows that it has logged, whether it is to be stopped.
    """

    def __init__(self, sweep: dict, trials: list[dict], stop: Callable[[int, list[dict]], bool] = lambda *_: False):
        self.sweep, self.trials, self.stop = sweep, trials, stop
        self.begun = 0
        self.heartbeats: list[dict[str, bool]] = []
        self.rows: dict[str, list[dict]] = {}
        self.exits: dict[str, int] = {}
        self.configs: dict[str, dict] = {}
        self.stopped: set[str] = set()
        self.uploads: list[str] = []
        self.unknown: list[str] = []
        self.url = ""
        self.refuse = 0
        """Status that every request gets from now on; 0 for answers."""
        self._lock = threading.Lock()

    def answer(self, query: str, variables: dict[str, Any]) -> dict[str, Any]:
        """Answer one GraphQL request."""
        name = (re.search(r"(?:query|mutation)\s+(\w+)", query) or [None, ""])[1]
        with self._lock:
            method = getattr(self, f"_{name}", None)
            if method is None:
                self.unknown.append(name)
                return {}
            return method(variables)

    def _CreateAgent(self, variables):
        return {"createAgent": {"agent": {"id": "agent"}}}

    def _Heartbeat(self, variables):
        running = {name for name, alive in json.loads(variables["runState"]).items() if alive}
        self.heartbeats.append(dict.fromkeys(running, True))
        commands = []
        for name in running:
            if name not in self.stopped and self.stop(int(name.removeprefix("trial")), self.rows.get(name, [])):
                self.stopped.add(name)
                commands.append({"type": "stop", "run_id": name})
        if not running and self.begun < len(self.trials):
            values = {key: {"value": value} for key, value in self.trials[self.begun].items()}
            commands.append(
                {
                    "type": "run",
                    "run_id": f"trial{self.begun}",
                    "program": self.sweep.get("program", "lightning"),
                    "args": values,
                }
            )
            self.begun += 1
        return {"agentHeartbeat": {"agent": {"id": "agent"}, "commands": json.dumps(commands)}}

    def _SweepWithRuns(self, variables):
        sweep = {
            "id": "sweep",
            "name": "sweep",
            "bestLoss": None,
            "config": yaml.safe_dump(self.sweep),
            "controller": None,
            "createdAt": "2026-01-01T00:00:00",
            "heartbeatAt": None,
            "description": None,
            "method": self.sweep["method"],
            "state": "RUNNING",
            "runs": {"edges": []},
            "runCount": 0,
        }
        return {"project": {"sweep": sweep}}

    def _Viewer(self, variables):
        return {"viewer": {"id": "me", "entity": "me", "username": "me", "flags": "{}", "teams": {"edges": []}}}

    _GetDefaultEntity = _Viewer

    def _UpsertBucket(self, variables):
        name = variables.get("name") or "run"
        self.configs[name] = json.loads(variables.get("config") or "{}")
        project = {"id": "p", "name": variables.get("project") or "p", "entity": {"id": "e", "name": "me"}}
        bucket = {
            "id": f"id-{name}",
            "name": name,
            "displayName": name,
            "description": None,
            "config": None,
            "sweepName": "sweep",
            "project": project,
            "historyLineCount": 0,
        }
        return {"upsertBucket": {"bucket": bucket, "inserted": True}}

    def _CreateRunFiles(self, variables):
        run = variables.get("run", "run")
        files = [{"name": f, "uploadUrl": f"{self.url}/upload/{run}/{f}"} for f in variables.get("files", [])]
        return {"createRunFiles": {"runID": f"id-{run}", "uploadHeaders": [], "files": files}}

    def stream(self, run: str, content: dict) -> dict:
        """Take what a run streams: its history, and its exit code."""
        with self._lock:
            history = content.get("files", {}).get("wandb-history.jsonl", {}).get("content", [])
            self.rows.setdefault(run, []).extend(json.loads(line) for line in history)
            if content.get("exitcode") is not None and content.get("complete"):
                self.exits[run] = content["exitcode"]
        return {"limits": {}}


@contextmanager
def serving(stand_in: StandIn) -> Iterator[dict[str, str]]:
    """Serve on the loopback; give the environment with which `wandb` finds nobody else."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _body(self) -> bytes:
            if self.headers.get("Transfer-Encoding", "") == "chunked":
                parts = []
                while size := int(self.rfile.readline().strip() or b"0", 16):
                    parts.append(self.rfile.read(size))
                    self.rfile.readline()
                return b"".join(parts)
            return self.rfile.read(int(self.headers.get("Content-Length") or 0))

        def _reply(self, content: dict) -> None:
            text = json.dumps(content).encode()
            self.send_response(stand_in.refuse or 200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)

        def do_GET(self) -> None:
            self._reply({})

        def do_PUT(self) -> None:
            self._body()
            stand_in.uploads.append(self.path)
            self._reply({})

        def do_POST(self) -> None:
            body = self._body()
            if self.headers.get("Content-Encoding") == "gzip":
                import gzip

                body = gzip.decompress(body)
            if self.path.endswith("/file_stream"):
                run = self.path.split("/")[-2]
                self._reply(stand_in.stream(run, json.loads(body)))
                return
            request = json.loads(body)
            self._reply({"data": stand_in.answer(request["query"], request.get("variables") or {})})

        def log_message(self, *arguments: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    server.handle_error = lambda *arguments: None  # a client that is killed resets its connections
    threading.Thread(target=server.serve_forever, daemon=True).start()
    stand_in.url = f"http://127.0.0.1:{server.server_port}"
    try:
        yield {
            "WANDB_BASE_URL": stand_in.url,
            "WANDB_API_KEY": "0" * 40,
            "WANDB_ERROR_REPORTING": "false",
            "WANDB_MODE": "online",
            "WANDB_AGENT_DISABLE_FLAPPING": "true",
        }
    finally:
        server.shutdown()
        server.server_close()
