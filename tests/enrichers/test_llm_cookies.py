"""No request of ours says which one came before it."""

import pytest
from llm_asking import model_at, prompt
from llm_server import LlmServer, Say, refusal

COOKIE = {"Set-Cookie": "session=abc; Path=/; HttpOnly"}


@pytest.mark.parametrize("stream", [False, True])
async def test_cookies_of_a_server_are_not_kept(*, stream: bool) -> None:
    async with LlmServer() as server:
        model = model_at(server.base_url, stream=stream)
        server.say(Say(headers=COOKIE), refusal(400, "temperature", headers=COOKIE), Say(headers=COOKIE))
        for _ in range(3):
            await model.complete(prompt(), deadline_s=5)
        await model.close()
    assert len(server.asked) == 4
    assert not [asked for asked in server.asked if "cookie" in asked.headers]
