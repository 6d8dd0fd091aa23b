"""One Inspector replica as a dashboard sees it, without Ray: Serve's REST tells that it runs, and in a real Redis it answers what is asked of it."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from services.contract.settings import Settings
from services.results.connection import connect
from services.results.standby import Report

REPLICA = "replica-1"
LOOK_EVERY_S = 0.05


@contextmanager
def standing_replica(settings: Settings) -> Iterator[None]:
    """Holds every version that shall stand by. The dashboard of these settings, started inside, finds it by `endpoints.json`."""
    serve, stopping = _serve(settings), threading.Event()
    threads = [threading.Thread(target=serve.serve_forever), threading.Thread(target=_hold, args=(settings, stopping))]
    settings.home.mkdir(parents=True, exist_ok=True)
    (settings.home / "endpoints.json").write_text(json.dumps({"ray": {"dashboard_url": f"http://127.0.0.1:{serve.server_port}"}}))
    for thread in threads:
        thread.start()
    yield
    stopping.set()
    serve.shutdown()
    for thread in threads:
        thread.join()
    serve.server_close()


def _serve(settings: Settings) -> ThreadingHTTPServer:
    inspector = {"target_num_replicas": 1, "replicas": [{"state": "RUNNING", "replica_id": REPLICA}]}
    told = json.dumps({"applications": {settings.names.application: {"status": "RUNNING", "deployments": {"Inspector": inspector}}}}).encode()

    class Applications(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("content-length", str(len(told)))
            self.end_headers()
            self.wfile.write(told)

        def log_message(self, format: str, *args: object) -> None:
            pass

    return ThreadingHTTPServer(("127.0.0.1", 0), Applications)


def _hold(settings: Settings, stopping: threading.Event) -> None:
    redis, names, held = connect(settings), settings.names, set[str]()
    while not stopping.wait(LOOK_EVERY_S):
        for version in redis.zrange(names.standby, 0, -1):
            redis.hset(names.on_standby(version.decode()), REPLICA, Report(seconds=0.1).model_dump_json())
            held.add(version.decode())
        redis.set(names.holding(REPLICA), json.dumps(sorted(held)))
    redis.close()
