"""`walk.py SANDBOX [PICTURES]`: the pages of a small consortium in headless Chromium, by desktop and phone, light and dark.

Starts a demo with the sandbox's program, lets an auditor and a bank in, and walks: every page of the menu, the search, a
record, by mouse and keyboard. Fails on any console message, failed or foreign request, page wider than its window, or
picture without a name. Needs chromium, certutil and pk12util (Debian: chromium, libnss3-tools), openssl, and COUNTERFOIL_REFERENCE_DIR.
"""

import pathlib
import subprocess
import sys
import tempfile
import time

from chromium import Chromium

PAGES = ["budgets", "runs", "evidence", "approvals", "health"]
SIZES = [(1280, 900), (390, 844)]
# What assistive technology needs, and what the policy would refuse.
CHECKS = {
    "one heading": "document.querySelectorAll('h1').length === 1",
    "a language": "document.documentElement.lang === 'en'",
    "no script": "document.querySelectorAll('script, [style], [onclick]').length === 0",
    "a name for each picture": "[...document.querySelectorAll('svg[role=img]')].every(s => s.querySelector('title'))",
    "headers for each table": "[...document.querySelectorAll('table')].every(t => t.querySelector('thead th[scope=col]'))",
    "a name for each region": "[...document.querySelectorAll('[role=region]')].every(r => r.ariaLabel || "
                              "document.getElementById(r.getAttribute('aria-labelledby')))",
    "a label for each field": "[...document.querySelectorAll('input')].every(i => i.labels.length === 1)",
    "no id twice": "new Set([...document.querySelectorAll('[id]')].map(e => e.id)).size === document.querySelectorAll('[id]').length",
    "no wider than the window": "document.documentElement.scrollWidth <= window.innerWidth",
}


class Walk:
    def __init__(self, browser, pictures):
        self.browser, self.pictures, self.wrong, self.seen = browser, pictures, [], 0
        self.origin = f"https://{browser.endpoint}"

    def check(self, what, holds):
        if not holds:
            self.wrong.append(what)

    def here(self, name):
        """Checks the page that is shown, at every size and in both schemes."""
        self.seen += 1
        for trouble in self.browser.troubles():
            self.wrong.append(f"{name}: {trouble}")
        foreign = [url for url in self.browser.requests() if not url.startswith(self.origin)]
        self.check(f"{name} asked for {foreign}", not foreign)
        for width, height in SIZES:
            for dark in (False, True):
                self.browser.look(width, height, dark)
                for what, script in CHECKS.items():
                    self.check(f"{name} at {width}: {what}", self.browser.evaluate(script) is True)
                if self.pictures:
                    scheme = "dark" if dark else "light"
                    self.browser.picture(self.pictures / f"{name}-{width}-{scheme}.png")
        self.browser.look(*SIZES[0])

    def menu(self):
        self.browser.look(*SIZES[0])
        self.browser.go(self.origin + "/")
        for page in PAGES:
            self.browser.act(f"document.querySelector('nav a[href=\"/{page}\"]').click()")
            current = self.browser.evaluate("document.querySelector('nav a[aria-current=page]').pathname")
            self.check(f"the menu marks /{page}", current == f"/{page}")
            self.here(page)
            for form in ("json", "csv"):
                status = self.browser.evaluate(f"new URL(document.querySelector('footer a[href$=\".{form}\"]').href).pathname")
                self.check(f"/{page} has .{form}", status == f"/{page}.{form}")

    def run(self):
        self.browser.go(self.origin + "/runs")
        self.browser.act("document.querySelector('tbody th a').click()")
        self.here("run")

    def search(self, asked, name):
        self.browser.go(self.origin + "/evidence")
        self.browser.act(f"document.querySelector('#q').value = {asked!r}; document.querySelector('form button').click()")
        self.here(name)
        return self.browser.evaluate("document.querySelectorAll('#records tbody tr').length")

    def record(self):
        model = "document.querySelector('#rounds .hash').title"
        self.browser.go(self.origin + "/runs")
        self.browser.act("document.querySelector('tbody th a').click()")
        found = self.search(self.browser.evaluate(model), "found")
        self.check("the newest model is found once", found == 1)
        self.browser.act("document.querySelector('#records tbody a').click()")
        self.check("a record verifies", "verifies" in self.browser.evaluate("document.querySelector('#record').innerText"))
        self.here("record")
        self.check("nonsense finds nothing", self.search("nonsense", "nothing") == 0)

    def keyboard(self):
        """The first key leads to the skip link, and Enter past the menu; the search works without a mouse."""
        self.browser.go(self.origin + "/evidence")
        key = lambda name, code, text=None: [self.browser.call(
            "Input.dispatchKeyEvent", type=kind, key=name, windowsVirtualKeyCode=code, **({"text": text} if text else {}))
            for kind in ("keyDown", "keyUp")]
        key("Tab", 9)
        self.check("the first stop skips", self.browser.evaluate("document.activeElement.className") == "skip")
        key("Enter", 13, "\r")
        self.check("skipping leads to the content", self.browser.evaluate("document.activeElement.id") == "main")
        key("Tab", 9)
        self.check("then the search", self.browser.evaluate("document.activeElement.id") == "q")
        self.browser.events = []
        self.browser.call("Input.insertText", text="0")
        key("Enter", 13, "\r")
        self.browser.loaded()
        self.check("Enter searches", self.browser.evaluate("location.search") == "?q=0")

    def print(self):
        self.browser.go(self.origin + "/budgets")
        self.browser.look(800, 1100, media="print")
        shown = self.browser.evaluate("getComputedStyle(document.querySelector('nav')).display")
        self.check("print has no menu", shown == "none")
        self.browser.look(*SIZES[0])


def start(sandbox, folder):
    """A demo that is over, its coordinator running again, with an auditor; the states of auditor and bank."""
    tell = lambda *words: subprocess.run([sandbox, *words], check=True, capture_output=True, text=True).stdout.strip()
    # The demo's own verdict is for other tests.
    subprocess.run([sandbox, "demo", "--rounds", "20", "--banks", "3", "--keep", str(folder)], capture_output=True)
    coordinator = folder / "coordinator"
    daemon = subprocess.Popen([sandbox, "coordinator", "--state", coordinator, "run"], stderr=subprocess.DEVNULL)
    while not (coordinator / "control.sock").exists():
        time.sleep(0.05)
    invitation = tell("coordinator", "--state", coordinator, "invite", "--institution", "watch", "--role", "auditor")
    tell("client", "--state", folder / "watch", "join", "--invitation", invitation)
    time.sleep(3)
    return daemon, folder / "watch", folder / "banks/north"


def main():
    sandbox = str(pathlib.Path(sys.argv[1]).absolute())
    pictures = pathlib.Path(sys.argv[2]) if len(sys.argv) > 2 else None
    if pictures:
        pictures.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder) / "demo"
        daemon, auditor, bank = start(sandbox, folder)
        wrong, seen = [], 0
        try:
            for state, who in ((auditor, "auditor"), (bank, "bank")):
                browser = Chromium(state)
                try:
                    walk = Walk(browser, pictures if who == "auditor" else None)
                    walk.menu(), walk.run(), walk.record(), walk.keyboard(), walk.print()
                    wrong += [f"{who}: {what}" for what in walk.wrong]
                    seen += walk.seen
                finally:
                    browser.close()
        finally:
            daemon.terminate(), daemon.wait()
    print("\n".join(wrong) if wrong else f"{seen} pages at {len(SIZES)} sizes in 2 schemes: nothing is wrong")
    sys.exit(bool(wrong))


if __name__ == "__main__":
    main()
