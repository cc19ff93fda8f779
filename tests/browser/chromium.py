"""A headless Chromium with a member's certificate, driven over a pipe. Standard library and openssl, certutil, pk12util alone."""

import base64
import json
import os
import pathlib
import shutil
import subprocess
import tempfile

# Chromium asks which certificate to show unless a policy answers; Debian's reads policies here.
POLICIES = pathlib.Path("/etc/chromium/policies/managed")


def pem(der):
    lines = base64.encodebytes(der).decode().replace("\n", "")
    body = "\n".join(lines[i:i + 64] for i in range(0, len(lines), 64))
    return f"-----BEGIN CERTIFICATE-----\n{body}\n-----END CERTIFICATE-----\n"


def certificates(state, folder):
    """Writes ca.pem, own.pem and own-key.pem from a member's state directory: what curl takes."""
    state, folder = pathlib.Path(state), pathlib.Path(folder)
    kept = json.loads((state / "consortium.json").read_text())
    for name, key in (("ca.pem", "ca"), ("own.pem", "certificate")):
        (folder / name).write_text(pem(base64.b64decode(kept[key])))
    shutil.copy(state / "keys/tls.pem", folder / "own-key.pem")
    return kept["endpoint"]


class Chromium:
    """One browser with one page."""

    def __init__(self, state=None, ca=None):
        """With the certificate in the member's `state`, or with none and trust in the CA certificate at `ca`."""
        self.home = pathlib.Path(tempfile.mkdtemp(prefix="browser-"))
        self.policy = None
        database = self.home / ".pki/nssdb"
        database.mkdir(parents=True)
        run = lambda *command: subprocess.run([str(c) for c in command], check=True, capture_output=True)
        run("certutil", "-N", "-d", f"sql:{database}", "--empty-password")
        if state:
            self.endpoint = certificates(state, self.home)
            ca = self.home / "ca.pem"
            run("openssl", "pkcs12", "-export", "-in", self.home / "own.pem", "-inkey", self.home / "own-key.pem",
                "-out", self.home / "own.p12", "-passout", "pass:", "-name", "own")
            run("pk12util", "-i", self.home / "own.p12", "-d", f"sql:{database}", "-W", "")
            POLICIES.mkdir(parents=True, exist_ok=True)
            self.policy = POLICIES / f"counterfoil-{os.getpid()}-{self.home.name}.json"
            choice = json.dumps({"pattern": f"https://{self.endpoint}", "filter": {}})
            self.policy.write_text(json.dumps({"AutoSelectCertificateForUrls": [choice]}))
        run("certutil", "-A", "-d", f"sql:{database}", "-n", "ca", "-t", "C,,", "-i", ca)
        here, theirs = os.pipe(), os.pipe()
        environment = {**os.environ, "HOME": str(self.home)}
        command = ["chromium", "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage",
                   "--no-first-run", "--remote-debugging-pipe", f"--user-data-dir={self.home}/profile", "about:blank"]

        def descriptors():
            # Copies above 4 first: one of the pipe's own numbers may be 3 or 4.
            read, write = os.dup2(here[0], 20), os.dup2(theirs[1], 21)
            os.dup2(read, 3), os.dup2(write, 4)

        self.process = subprocess.Popen(command, preexec_fn=descriptors, close_fds=False, env=environment,
                                        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        os.close(here[0]), os.close(theirs[1])
        self.out, self.into, self.rest = here[1], theirs[0], b""
        self.number, self.events, self.session = 0, [], None
        target = [t for t in self.call("Target.getTargets")["targetInfos"] if t["type"] == "page"][0]["targetId"]
        self.session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Network", "Log", "Runtime"):
            self.call(f"{domain}.enable")

    def read(self):
        while b"\0" not in self.rest:
            piece = os.read(self.into, 1 << 20)
            if not piece:
                raise EOFError("chromium ended")
            self.rest += piece
        message, self.rest = self.rest.split(b"\0", 1)
        return json.loads(message)

    def call(self, method, **parameters):
        self.number += 1
        number = self.number
        message = {"id": number, "method": method, "params": parameters}
        if self.session:
            message["sessionId"] = self.session
        os.write(self.out, json.dumps(message).encode() + b"\0")
        while True:
            answer = self.read()
            if answer.get("id") == number:
                if "error" in answer:
                    raise RuntimeError(f"{method}: {answer['error']}")
                return answer["result"]
            self.events.append(answer)

    def look(self, width=1280, height=900, dark=False, media=""):
        self.call("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1,
                  mobile=width < 600)
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.call("Emulation.setEmulatedMedia", media=media, features=[scheme])

    def loaded(self):
        """Waits for the page's load event."""
        while not any(e.get("method") == "Page.loadEventFired" for e in self.events):
            self.events.append(self.read())

    def go(self, url):
        self.events = []
        self.call("Page.navigate", url=url)
        self.loaded()

    def act(self, script):
        """Runs a script that leads to another page, and waits for it."""
        self.events = []
        self.evaluate(script)
        self.loaded()

    def evaluate(self, script):
        return self.call("Runtime.evaluate", expression=script, returnByValue=True)["result"].get("value")

    def troubles(self):
        """Console errors, failed requests and error statuses since the last page was asked for."""
        self.evaluate("0")
        found = []
        for event in self.events:
            method, of = event.get("method"), event.get("params", {})
            if method == "Log.entryAdded" and of["entry"]["level"] in ("error", "warning"):
                found.append(of["entry"]["text"])
            elif method == "Runtime.exceptionThrown" or method == "Runtime.consoleAPICalled":
                found.append(method)
            elif method == "Network.loadingFailed":
                found.append(f"failed: {of.get('errorText')}")
            elif method == "Network.responseReceived" and of["response"]["status"] >= 400:
                found.append(f"{of['response']['status']} {of['response']['url']}")
        return found

    def requests(self):
        return [e["params"]["request"]["url"] for e in self.events if e.get("method") == "Network.requestWillBeSent"]

    def picture(self, file, full=True):
        data = self.call("Page.captureScreenshot", captureBeyondViewport=full)["data"]
        pathlib.Path(file).write_bytes(base64.b64decode(data))

    def close(self):
        self.process.terminate()
        self.process.wait()
        if self.policy:
            self.policy.unlink(missing_ok=True)
        shutil.rmtree(self.home, ignore_errors=True)
