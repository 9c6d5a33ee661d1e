"""The panel's page: one document without outside resources; its script asks for the body again."""

import base64
import hashlib
from html import escape

from agent.panel.view import Screen
from agent.text import sentence

ASK_SECONDS = 2
# Without an answer for so long nothing on the screen is known any more.
SILENT_SECONDS = 8

STYLE = """
* { box-sizing: border-box; margin: 0; }
body { background: #0d1117; color: #f0f6fc; padding: 1.2vw; font: 2vw/1.35 "Noto Sans CJK SC",
  "Microsoft YaHei", "PingFang SC", sans-serif; }
.bar { border-radius: .6vw; margin-bottom: .8vw; padding: .6vw 1vw; font-size: 2.4vw; }
.duties { display: grid; gap: .8vw; grid-template-columns: repeat(3, 1fr); }
section { border-radius: .6vw; min-height: 17vw; overflow: hidden; padding: .8vw 1vw; }
section h2 { font-size: 1.7vw; font-weight: normal; }
section strong { font-size: 3.4vw; }
section ul { font-size: 1.15vw; list-style: none; padding: 0; overflow-wrap: anywhere; }
.ok { background: #1a7f37; } .warn { background: #9a6700; } .fail { background: #cf222e; }
.unknown { background: #57606a; } .plain { background: #21262d; }
""".strip()

_SCRIPT = """
const main = document.querySelector("main"), silent = document.querySelector("#silent").innerHTML;
let heard = Date.now(), asking = false;
async function ask() {
  if (!asking) {
    asking = true;
    try {
      const answer = await fetch("/now", {signal: AbortSignal.timeout(%d)});
      if (answer.ok) { main.innerHTML = await answer.text(); heard = Date.now(); }
    } catch (error) { }
    asking = false;
  }
  if (Date.now() - heard > %d) { main.innerHTML = silent; }
}
setInterval(ask, %d);
""".strip()


def script() -> str:
    """Return the page's script."""
    return _SCRIPT % (1000 * SILENT_SECONDS // 2, 1000 * SILENT_SECONDS, 1000 * ASK_SECONDS)


def policy() -> str:
    """Return the Content-Security-Policy that lets this page do what it does, and nothing else."""

    def hashed(text: str) -> str:
        digest = hashlib.sha256(text.encode()).digest()
        return f"'sha256-{base64.b64encode(digest).decode()}'"

    return (
        f"default-src 'none'; style-src {hashed(STYLE)}; script-src {hashed(script())}; "
        "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )


def page(screen: Screen, body: str) -> str:
    """Return the whole document with a first body."""
    title = escape(sentence(screen.lang, "panel.title"))
    silent = escape(sentence(screen.lang, "panel.silent"))
    language = "zh-CN" if screen.lang == "zh" else "en"
    return (
        f'<!DOCTYPE html><html lang="{language}"><head><meta charset="utf-8">'
        f"<title>{title}</title><style>{STYLE}</style></head><body><main>{body}</main>"
        f'<template id="silent"><p class="bar fail">{silent}</p></template>'
        f"<script>{script()}</script></body></html>"
    )
