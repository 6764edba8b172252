"""Headless Chromium for tests: open a page, run JavaScript, use mouse and keys, take screenshots. Speaks the DevTools protocol."""

import base64
import contextlib
import json
import os
import shutil
import subprocess
import tempfile
import time
import urllib.request
from importlib.util import find_spec
from pathlib import Path

import pytest

PROGRAM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome", "chrome"))), None)
needs_chromium = pytest.mark.skipif(not PROGRAM or not find_spec("websocket"), reason="needs Chromium (apt install chromium) and websocket-client")
KEYS = {"Enter": 13, "Escape": 27, " ": 32, "Tab": 9, "ArrowLeft": 37, "ArrowUp": 38, "ArrowRight": 39, "ArrowDown": 40}


class Page:
    """One tab. `errors` collects exceptions and console errors, `requests` the addresses it asked for."""

    def __init__(self, address):
        import websocket

        self.socket = websocket.create_connection(address, timeout=60, suppress_origin=True)
        self.number, self.errors, self.requests, self.events = 0, [], [], []
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.call(f"{domain}.enable")

    def call(self, method, **parameters):
        "Call a method of the protocol and return its result."
        self.number += 1
        self.socket.send(json.dumps({"id": self.number, "method": method, "params": parameters}))
        while True:
            message = json.loads(self.socket.recv())
            if message.get("id") == self.number:
                assert "error" not in message, f"{method}: {message.get('error')}"
                return message["result"]
            self._note(message.get("method"), message.get("params", {}))

    def _note(self, event, about):
        self.events.append(event)
        if event == "Runtime.exceptionThrown":
            self.errors.append(about["exceptionDetails"].get("exception", {}).get("description") or about["exceptionDetails"]["text"])
        elif event == "Runtime.consoleAPICalled" and about["type"] in ("error", "assert"):
            self.errors.append(" ".join(str(argument.get("value")) for argument in about["args"]))
        elif event == "Log.entryAdded" and about["entry"]["level"] == "error":
            self.errors.append(f"{about['entry']['text']} {about['entry'].get('url', '')}")
        elif event == "Network.requestWillBeSent":
            self.requests.append(about["request"]["url"])

    def open(self, address, width=1400, height=900, dark=False, touch=False):
        "Open an address, or a file, in a window of this size, and wait until it is loaded."
        address = address if "://" in str(address) else Path(address).resolve().as_uri()
        self.errors, self.requests, self.events = [], [], []
        self.call("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=touch)
        self.call("Emulation.setTouchEmulationEnabled", enabled=touch)
        self.call("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": "dark" if dark else "light"}])
        self.call("Page.navigate", url=str(address))
        self.wait("document.readyState === 'complete' && location.href !== 'about:blank'")

    def run(self, code):
        "Evaluate JavaScript, wait for a promise, and return the value."
        answer = self.call("Runtime.evaluate", expression=code, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in answer, answer["exceptionDetails"].get("exception", {}).get("description")
        return answer["result"].get("value")

    def wait(self, condition, seconds=20):
        "Wait until an expression is true."
        end = time.monotonic() + seconds
        while not self.run(f"!!({condition})"):
            assert time.monotonic() < end, f"not within {seconds} s: {condition}; errors: {self.errors}"
            time.sleep(0.02)

    def settle(self):
        "Wait until what was scheduled is drawn."
        self.run("new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))")

    def box(self, selector):
        "Left, top, width and height of an element, after scrolling to it."
        found = f"document.querySelector({json.dumps(selector)})"
        return self.run(f"{found}.scrollIntoView({{block: 'nearest'}}), (b => [b.left, b.top, b.width, b.height])({found}.getBoundingClientRect())")

    def mouse(self, kind, x, y, **more):
        "kind: moved, pressed, released or wheel."
        self.call("Input.dispatchMouseEvent", type="mouse" + kind.capitalize(), x=x, y=y, **more)

    def drag(self, places):
        "Press at the first place, move through the others, release at the last."
        self.mouse("moved", *places[0])
        self.mouse("pressed", *places[0], button="left", buttons=1, clickCount=1)
        for place in places[1:]:
            self.mouse("moved", *place, button="left", buttons=1)
        self.mouse("released", *places[-1], button="left", clickCount=1)
        self.settle()

    def click(self, selector_or_place):
        "Click into the middle of an element, or at (x, y)."
        place = selector_or_place
        if isinstance(place, str):
            left, top, width, height = self.box(place)
            place = left + width / 2, top + height / 2
        self.drag([place])

    def touch(self, kind, *places):
        "kind: Start, Move or End, with the place of each finger."
        self.call("Input.dispatchTouchEvent", type="touch" + kind, touchPoints=[{"x": x, "y": y, "id": i} for i, (x, y) in enumerate(places)])

    def press(self, key):
        "Press a key."
        text = {"text": "\r" if key == "Enter" else key} if len(key) == 1 or key == "Enter" else {}
        for kind in ("keyDown", "keyUp"):
            self.call("Input.dispatchKeyEvent", type=kind, key=key, windowsVirtualKeyCode=KEYS.get(key, ord(key[0].upper())), **(text if kind == "keyDown" else {}))
        self.settle()

    def write(self, text):
        "Type text into the element that has the focus."
        self.call("Input.insertText", text=text)
        self.settle()

    def screenshot(self, path):
        "Write what is in sight as PNG."
        self.settle()
        Path(path).write_bytes(base64.b64decode(self.call("Page.captureScreenshot", format="png")["data"]))


@contextlib.contextmanager
def chromium():
    "Start a browser with a profile of its own; yields a `Page`."
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        options = ["--headless=new", "--remote-debugging-port=0", f"--user-data-dir={profile}", "--no-first-run", "--hide-scrollbars", "--disable-dev-shm-usage"]
        options += ["--disable-background-networking", "--disable-component-update", "--disable-gpu"]
        options += ["--no-sandbox"] if hasattr(os, "geteuid") and os.geteuid() == 0 else []
        process = subprocess.Popen([PROGRAM, *options, "about:blank"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            yield Page(_address(profile, process))
        finally:
            process.terminate()
            process.wait(20)


def _address(profile, process, seconds=60):
    "Where the browser's first tab listens; the browser writes its port into the profile."
    end, port = time.monotonic() + seconds, Path(profile, "DevToolsActivePort")
    while time.monotonic() < end:
        assert process.poll() is None, f"{PROGRAM} stopped with {process.returncode}"
        with contextlib.suppress(OSError, IndexError, StopIteration):
            with urllib.request.urlopen(f"http://127.0.0.1:{port.read_text().split()[0]}/json/list", timeout=5) as answer:
                return next(tab["webSocketDebuggerUrl"] for tab in json.load(answer) if tab["type"] == "page")
        time.sleep(0.05)
    raise AssertionError(f"{PROGRAM} did not listen within {seconds} s")
