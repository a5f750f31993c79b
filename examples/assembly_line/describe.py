"""Writes a log of defects: a language model describes each component that lies askew, in a sentence.

    python describe.py --token TOKEN [--url ws://127.0.0.1:8428/v1/records]
        [--model-url http://127.0.0.1:11434/v1] [--model NAME] [--log defects.log]

The node hands out alerts by WebSocket; this program asks any OpenAI-compatible server about each. What the model is
shown are numbers, no picture. Where it does not answer, the numbers are logged by themselves: no defect is left out.
"""

import argparse
import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import httpx2
import websockets

SYSTEM = (
    "You keep the log of an assembly line. Describe the defect in one short sentence: which component, to which side "
    "it is turned and by how much, and how far that is beyond the limit. Use the given numbers, and no others."
)


async def alerts(url: str, token: str) -> AsyncIterator[dict[str, Any]]:
    """Each alert of the node, for ever; after a break it goes on where it was."""
    wanted = {"kinds": "observation"}
    login = {"Authorization": f"Bearer {token}"}
    while True:
        try:
            async with websockets.connect(f"{url}?{urlencode(wanted)}", additional_headers=login) as connection:
                async for message in connection:
                    item = json.loads(message)
                    if item.get("cursor"):
                        wanted["since"] = item["cursor"]
                    if item["kind"] == "observation" and item["content"]["kind"] == "alert":
                        yield item["content"]
        except (OSError, websockets.ConnectionClosed) as error:
            print(f"the node is away, trying again: {error}", flush=True)
        await asyncio.sleep(1)


async def described(model: httpx2.AsyncClient, name: str, defect: dict[str, Any]) -> str:
    """The defect in a sentence of the model's; what is known of it where the model does not answer."""
    request = {
        "model": name,
        "max_tokens": 80,
        "messages": [{"role": "system", "content": SYSTEM}, {"role": "user", "content": json.dumps(defect)}],
    }
    try:
        answer = await model.post("chat/completions", json=request)
        answer.raise_for_status()
        return str(answer.json()["choices"][0]["message"]["content"]).strip()
    except (httpx2.HTTPError, ValueError, LookupError) as error:
        return f"component {defect['component']}: {defect['degrees']}° ({type(error).__name__}: no description)"


async def main(given: argparse.Namespace) -> None:
    """Log each defect."""
    async with httpx2.AsyncClient(base_url=given.model_url, timeout=60) as model:
        async for alert in alerts(given.url, given.token):
            (measure,) = alert["measures"]
            defect = {
                "component": measure["item"],
                "degrees": measure["value"],
                "side": "clockwise" if measure["value"] > 0 else "counterclockwise",
                "limit_degrees": given.limit,
            }
            text = " ".join((await described(model, given.model, defect)).split())
            line = f"{alert['time']} component {measure['item']}: {text}"
            with given.log.open("a", encoding="utf-8") as log:
                log.write(line + "\n")
            print(line, flush=True)


if __name__ == "__main__":
    asked = argparse.ArgumentParser(description="Writes a log of defects that a language model describes.")
    asked.add_argument("--token", required=True, help="the token of the WebSocket, as in line.yaml")
    asked.add_argument("--url", default="ws://127.0.0.1:8428/v1/records", help="the node's WebSocket")
    asked.add_argument("--model-url", default="http://127.0.0.1:11434/v1", help="an OpenAI-compatible server")
    asked.add_argument("--model", default="qwen3:4b", help="the name of the model there")
    asked.add_argument("--limit", type=float, default=5.0, help="what is allowed, in degrees, as in line.yaml")
    asked.add_argument("--log", type=Path, default=Path("defects.log"), help="where the log is written to")
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(main(asked.parse_args()))
