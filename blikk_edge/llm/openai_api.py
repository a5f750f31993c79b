"""A language model behind any OpenAI-compatible endpoint, asked through chat.completions."""

import asyncio
import logging
import re
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from blikk_edge.core.clock import Clock
from blikk_edge.core.errors import LlmError
from blikk_edge.core.installing import pip_install
from blikk_edge.llm.answer_object import object_in, whole_object
from blikk_edge.llm.gbnf import GrammarError
from blikk_edge.llm.openai_address import address_of, checked_key, is_here
from blikk_edge.llm.openai_answer import ServerAnswer, answer_of, error_in
from blikk_edge.llm.openai_faults import fault, is_about_bill, is_about_key, is_garbled, said_in
from blikk_edge.llm.openai_learning import ADAPTABLE, after, looser
from blikk_edge.llm.openai_request import AUTO, Manners, manners, request
from blikk_edge.llm.port import (
    AwayError,
    BlindError,
    BusyError,
    Completion,
    GarbledError,
    Prompt,
    RefusedError,
    TooLongError,
)
from blikk_edge.llm.tokens import IMAGE_TOKENS, Ratio, data_tokens, prompt_tokens, schema_tokens

if TYPE_CHECKING:
    from blikk_edge.llm.openai_client import Client, ServerReply

LOG = logging.getLogger("blikk.llm")

MOST_TRIES: Final = 10
"""Requests of one call: as many things as can be learnt from refusals, and the last."""

NOT_JSON_TWICE: Final = 2

_OF_ONE_PROMPT: Final = frozenset({400, 422})
"""With which services refuse what they cannot work on, and some what their model wrote."""

_CUT_OFF: Final = frozenset({"length", "max_tokens", "model_length", "max_output_tokens"})
_WOULD_NOT: Final = ("content_filter", "safety", "recitation", "blocklist", "prohibited", "sensitive", "refus", "spii")
"""How the reasons begin for which services end an answer that they do not want to give."""

_MODEL_NAME: Final = re.compile(r"[\w./:@+-]{1,100}", re.ASCII)


class OpenAiModel:
    """The model `model` at `base_url`, which mostly ends in `/v1`.

    `structured` is how answers are held to their schema: `json_schema`, `json_object` with the schema, `any_object`
    (any JSON object), `grammar` (llama.cpp's servers), `none` (it is only in the prompt), or `auto`, which begins with
    the first and remembers what the endpoint refused. Likewise `auto` are, unless chosen, `tokens_field` (`max_tokens`,
    `max_completion_tokens`, `none`), `stream` (`always`, also True: answers come in parts; `never`) and `system_role`
    (`system`, `developer`, or `user`, where instructions stand before the rest of the prompt). `temperature` is None
    where it is not to be sent. `image_tokens` is what one Picture costs where the endpoint does not count. `sees` False
    says that the model takes no Pictures. A server that works on after a plain request was given up (llama_cpp.server)
    stops after a stream. `extra` are further fields of every request; `ratio` is what was learnt of its tokens before.

    Raises RefusedError for an address or key that cannot be one, and where the `httpx2` package is missing.
    """

    def __init__(
        self,
        *,
        base_url: str,
        model: str,
        clock: Clock,
        api_key: str | None = None,
        structured: str = AUTO,
        tokens_field: str = AUTO,
        temperature: float | None = 0.2,
        image_tokens: int = IMAGE_TOKENS,
        sees: bool = True,
        stream: str | bool = AUTO,
        system_role: str = AUTO,
        extra: Mapping[str, Any] | None = None,
        ratio: Ratio | None = None,
    ) -> None:
        self.name = model
        self.sees = sees
        url = address_of(base_url)
        self._who = f"language model {model} at {url.netloc}"
        self._base_url = base_url
        self._here = is_here(url.hostname or "")
        self._key = checked_key(api_key, self._who)
        self._clock = clock
        self._image_tokens = image_tokens
        try:
            self._manners = manners(
                structured,
                temperature=temperature,
                stream=stream,
                tokens_field=tokens_field,
                system_role=system_role,
                extra=extra or {},
            )
        except ValueError as error:
            raise RefusedError(f"{self._who}: {error}") from error
        self._ratio = ratio or Ratio()
        self._not_json = 0
        self._took_last = False
        self._client: Client | None = None
        require_httpx()
        if self._key and url.scheme == "http" and not self._here:
            LOG.warning("%s: api_key and prompts go over the network unencrypted; use https", self._who)

    async def complete(self, prompt: Prompt, *, deadline_s: float) -> Completion:
        """The JSON object that the model wrote, as text; raises the LlmErrors of `enrichers.models.port`.

        What is learnt from a refusal is tried at once, within the same deadline.
        """
        if prompt.pictures and not self.sees:
            raise BlindError(f"{self._who}: it takes no pictures")
        try:
            async with asyncio.timeout(deadline_s):
                return self._completion(prompt, *await self._asked(prompt, deadline_s))
        except TimeoutError as error:
            raise AwayError(f"{self._who}: no whole answer within {deadline_s:g} s") from error

    def expected_tokens(self, prompt: Prompt) -> int:
        """Tokens that `prompt` will send, as this endpoint has counted so far."""
        return self._ratio.corrected(self._estimated(prompt))

    async def close(self) -> None:
        """Close every connection."""
        client, self._client = self._client, None
        if client is not None:
            await client.close()

    async def _asked(self, prompt: Prompt, timeout_s: float) -> tuple["ServerReply", ServerAnswer | None]:
        if self._client is None:
            self._client = _client(self._base_url, self._key, self._who, proxied=not self._here)
        error: LlmError = GarbledError(f"{self._who}: it refuses every way of asking")
        plainly = False
        for _ in range(MOST_TRIES):
            asked = replace(self._manners, stream=False) if plainly else self._manners
            try:
                body = request(prompt, model=self.name, manners=asked)
            except GrammarError as cannot:
                error = cannot
                if not self._change(looser(asked), asked, cannot):
                    raise
                continue
            reply = await self._client.post(body, timeout_s=timeout_s)
            if reply.streamed and not reply.bodies and not plainly:
                plainly = True  # llama_cpp.server says nothing in a stream where it refuses; asked plainly it says why
                continue
            refusal = self._refusal(reply, prompt)
            if refusal is None:
                self._took_last = True
                return reply, answer_of(reply.bodies)
            error = refusal
            if not self._learn(reply, asked, error, frozenset(body)):
                error = self._of_one_prompt(reply, prompt, error)
                break
        raise error

    def _refusal(self, reply: "ServerReply", prompt: Prompt) -> LlmError | None:
        status, said = self._said(reply)
        if status == 200:
            return None
        pictures = bool(prompt.pictures)
        error = fault(self._who, status, said, headers=reply.headers, now=self._clock.now(), pictures=pictures)
        if isinstance(error, GarbledError):  # it worked on the prompt, and what it wrote stayed there
            error.spent = self._spent_on(prompt)
            if is_garbled(said):
                self._doubt(error)
        return error

    def _said(self, reply: "ServerReply") -> tuple[int, str]:
        """The true status of a reply and what an error said, without the key."""
        status = reply.status
        if status == 200:
            inside = error_in(reply.bodies)
            if inside is None:
                return 200, ""
            status, body = inside
            said = said_in(body)
        else:
            said = " ".join(said_in(body) for body in reply.bodies)
        return status, said.replace(self._key, "***") if self._key else said

    def _learn(self, reply: "ServerReply", asked: Manners, error: LlmError, sent: frozenset[str]) -> bool:
        """Whether another request, asked otherwise, may do better."""
        if isinstance(error, BlindError):
            self.sees = False
            LOG.warning("%s; it is asked without pictures from now on", error)
        if isinstance(error, BlindError | TooLongError | BusyError | GarbledError):
            return False
        status, said = self._said(reply)
        if status not in ADAPTABLE or is_about_key(status, said):
            return False
        return self._change(after(asked, said, sent), asked, error)

    def _of_one_prompt(self, reply: "ServerReply", prompt: Prompt, error: LlmError) -> LlmError:
        """A refusal by a service that took the last prompt, asked in the same way, is of this prompt; the next says."""
        status, said = self._said(reply)
        account = is_about_key(status, said) or is_about_bill(status, said)
        if status not in _OF_ONE_PROMPT or account or not isinstance(error, RefusedError) or not self._took_last:
            return error
        self._took_last = False
        return GarbledError(str(error), spent=self._spent_on(prompt))

    def _spent_on(self, prompt: Prompt) -> Completion:
        tokens = self.expected_tokens(prompt)
        return Completion(text="", model=self.name, input_tokens=tokens, output_tokens=0, estimated=True)

    def _change(self, better: Manners | None, asked: Manners, why: LlmError) -> bool:
        """Whether to ask again; a call at the same time may have learnt already."""
        if better is None:
            return False
        if self._manners is asked:
            self._manners = better
            LOG.info("%s; it is asked otherwise from now on: %s", why, better)
        return True

    def _completion(self, prompt: Prompt, reply: "ServerReply", answer: ServerAnswer | None) -> Completion:
        if answer is None:
            raise GarbledError(f"{self._who}: there is nothing in its answer")
        spent = self._spent(prompt, answer)
        if reply.streamed and not (reply.whole or answer.finish):
            raise AwayError(f"{self._who}: its answer broke off")
        if answer.finish in _CUT_OFF:
            raise GarbledError(f"{self._who}: its answer was cut off after {spent.output_tokens} tokens", spent=spent)
        if answer.refusal or answer.finish.startswith(_WOULD_NOT):
            raise GarbledError(f"{self._who}: it would not write about this", spent=spent)
        text = object_in(answer.text, prompt.schema)
        if text is None and not answer.text.strip():
            # some servers take an answer without thoughts for a thought
            text = whole_object(answer.thoughts, prompt.schema)
        if text is None:
            error = GarbledError(f"{self._who}: it wrote no JSON", spent=spent)
            self._doubt(error)
            raise error
        self._not_json = 0
        return replace(spent, text=text)

    def _doubt(self, why: GarbledError) -> None:
        """Some endpoints ignore what they do not know: the form is changed when it does not hold."""
        self._not_json += 1
        if self._not_json >= NOT_JSON_TWICE:
            self._not_json = 0
            self._change(looser(self._manners), self._manners, why)

    def _spent(self, prompt: Prompt, answer: ServerAnswer) -> Completion:
        estimated = self._estimated(prompt)
        if answer.input_tokens:
            self._ratio.learn(estimated=estimated, counted=answer.input_tokens)
        return Completion(
            text=answer.text,
            model=answer.model if _MODEL_NAME.fullmatch(answer.model) else self.name,
            input_tokens=answer.input_tokens or self._ratio.corrected(estimated),
            output_tokens=answer.output_tokens or data_tokens(answer.text),
            estimated=not (answer.input_tokens and answer.output_tokens),
        )

    def _estimated(self, prompt: Prompt) -> int:
        of_schema = schema_tokens(prompt.schema) if self._manners.schema_in_prompt else 0
        return prompt_tokens(prompt, image_tokens=self._image_tokens) + of_schema


def require_httpx() -> None:
    """Load the `httpx2` package; raises RefusedError where it is missing."""
    try:
        import blikk_edge.llm.openai_client  # noqa: F401, PLC0415 - an extra
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] != "httpx2":
            raise
        raise RefusedError(f"language models need the httpx2 package: {pip_install('blikk-edge[openai]')}") from error


def _client(base_url: str, key: str | None, who: str, *, proxied: bool) -> "Client":
    from blikk_edge.llm.openai_client import Client  # noqa: PLC0415 - see require_httpx

    return Client(base_url=base_url, api_key=key, who=who, proxied=proxied)
