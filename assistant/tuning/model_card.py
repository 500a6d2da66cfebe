"""The model card of a trained LLM: `README.md` beside it, in the form that model hubs read."""

from pathlib import Path

from assistant.engines import ADAPTER
from assistant.tuning.trained import Trained
from ingest.catalogue import catalogue


def write_model_card(folder: Path, trained: Trained) -> None:
    """Write it beside the model's files."""
    (folder / "README.md").write_text(card_text(folder, trained), encoding="utf-8")


def card_text(folder: Path, trained: Trained) -> str:
    """What it is, of what and for whom it was made, how it learnt, and how to serve it."""
    parts = (_head(trained), _whom(trained), _learnt(trained), _serve(folder, trained))
    return "\n\n".join(parts) + "\n"


def _head(trained: Trained) -> str:
    licence = trained.licence or "unknown"
    return (
        f"---\nbase_model: {trained.base}\nlicense: {licence.lower()}\n"
        "pipeline_tag: text-generation\ntags: [lora, docent]\n---\n\n"
        f"# An adapter of {trained.base} for Docent\n\n"
        "Made by `docent tune llm`: it answers from excerpts of documents in the words that stand "
        "there, ignores excerpts that do not answer, and says so where none does. It knows no "
        "more than its base, and is meant for Docent's prompt alone.\n\n"
        f"- Base: {trained.base} (digest `{trained.base_digest or 'not known'}`)\n"
        f"- Licence of the base: {trained.licence or 'nobody said'}\n"
        f"- Digest of this model: `{trained.digest}`\n"
        f"- Made: {trained.made}"
    )


def _whom(trained: Trained) -> str:
    data = trained.data
    groups = ", ".join(data.groups) or "everybody: only public documents were read"
    licences = data.licences or {}
    told = ", ".join(f"{name}: {licence or 'not told'}" for name, licence in licences.items())
    return (
        "## Data\n\n"
        f"- {trained.trained_on} examples learnt, {trained.held} held out; no document on both "
        f"sides\n- Digest of the file: `{data.digest}`\n"
        f"- Licences of the sources: {told or 'not known'}\n"
        f"- **May serve readers who have all of these groups:** {groups}. What was learnt cannot "
        "be filtered by access any more."
    )


def _learnt(trained: Trained) -> str:
    rows = "\n".join(f"| {step} | {loss:.4f} |" for step, loss in trained.curve)
    measures = "\n".join(
        f"- {name} of the held-out examples: {trained.before[name]:.4f} before, {after:.4f} after"
        for name, after in trained.after.items()
    )
    spent, plan = trained.spent, ", ".join(f"{k} {v}" for k, v in trained.plan.items())
    joules = [
        f"{told:g} J of the {what}"
        for what, told in (("processor", spent.cpu_joules), ("GPUs", spent.gpu_joules))
        if told is not None
    ]
    energy = " and ".join([*joules, *spent.not_measured])
    return (
        f"## Training\n\n- Plan: {plan}\n- {trained.steps} steps in {spent.seconds:g} s on "
        f"{spent.machine}\n- Energy: {energy}\n{measures}\n\n"
        f"| step | loss of held-out examples |\n|---|---|\n{rows}\n\n"
        "A lower loss says that it writes more as the examples do. Whether it answers better, only "
        "questions that nothing was learnt from can tell: `docent eval answers --half test`."
    )


def _serve(folder: Path, trained: Trained) -> str:
    answer = trained.data.answer or {}
    settings = "\n".join(f"{name} = {_toml(value)}" for name, value in answer.items())
    rank = trained.plan.get("rank", 16)
    packed = trained.base in catalogue() or trained.base.endswith(".gguf")
    whole = f"    docent tune base {trained.base} --out base\n" if packed else ""
    return (
        "## Serving\n\nWith vLLM:\n\n"
        f"{whole}    vllm serve {'base' if packed else trained.base} --enable-lora "
        f"--max-lora-rank {rank} --lora-modules docent={folder}\n\n"
        "and in `docent.toml` the adapter is the model's name:\n\n"
        '    [llm]\n    model = "docent"\n    url = "http://127.0.0.1:8000/v1"\n\n'
        "In Docent's own process, with llama.cpp:\n\n"
        f"    docent tune export {folder} --to gguf --out gguf\n\n"
        f'    [llm]\n    model = "{trained.base}"\n    adapter = "gguf/{ADAPTER}"\n\n'
        + (
            "With the prompt that it has learnt:\n\n    [answer]\n    "
            + settings.replace("\n", "\n    ")
            if settings
            else ""
        )
    ).rstrip()


def _toml(value: float) -> str:
    return str(value).lower() if isinstance(value, bool) else f"{value:g}"
