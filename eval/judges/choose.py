"""Settings → judge: the only place of this package that picks concrete ones."""

from typing import Literal

from assistant.engines import llm_from
from assistant.llm import LLM, NO_MODEL
from eval.judges import Chain, Judge
from eval.judges.llm import LLMJudge
from eval.judges.rules import RuleJudge
from ingest.errors import DocentError
from ingest.settings import LLMSettings, Settings

Choice = Literal["rules", "llm"]
VERDICT_TOKENS = 16
"""Room for one word; the least that the settings allow."""


def judge_from(choice: Choice, llm: LLM | None = None) -> Judge:
    """`rules` alone, or rules first and then a model about what these do not decide.

    Raises:
        DocentError: when a model shall judge, but there is none.
    """
    if choice == "rules":
        return RuleJudge()
    if llm is None:
        msg = f"A model shall judge, but the model is {NO_MODEL!r}. Name one, or judge by rules."
        raise DocentError(msg)
    return Chain(RuleJudge(), LLMJudge(llm))


def judging_llm(settings: Settings, model: str | None = None, url: str | None = None) -> LLM | None:
    """The model that judges: the settings' own, another one, or one at another server.

    None for `none`. Opens nothing yet.

    Raises:
        ModelError: the model file is not on this machine; names the command that fetches it.
    """
    return llm_from(judging_settings(settings.llm, model, url), settings.models)


def judging_settings(
    settings: LLMSettings, model: str | None = None, url: str | None = None
) -> LLMSettings:
    """The settings of the model, with room for a verdict only."""
    named = {"model": model, "url": url}
    changes = {key: value for key, value in named.items() if value is not None}
    return settings.model_copy(update={**changes, "max_tokens": VERDICT_TOKENS})
