"""TRL's trainer, with the last layer asked for the replies alone.

Of an example of 600 tokens some 20 are the reply. The last layer is as wide as the vocabulary, and
what it says of a prompt is not learnt: without that, a step on a processor takes two thirds of the
time.
"""

from typing import Any

from torch import Tensor
from torch.nn.functional import cross_entropy
from trl import SFTTrainer

IGNORED = -100
"""Label of a token that is read and not learnt, as `cross_entropy` knows it."""


class ReplyTrainer(SFTTrainer):  # type: ignore[misc]  # TRL is not typed
    """Takes batches whose prompts are labelled as not learnt, filled up at their ends."""

    def compute_loss(
        self,
        model: Any,
        inputs: dict[str, Tensor],
        return_outputs: bool = False,
        num_items_in_batch: Tensor | int | None = None,
    ) -> Any:
        """Cross entropy of the labelled tokens, summed over the batch and divided by how many there
        are in the whole step (`num_items_in_batch`; None: in this batch).
        """
        if self.aux_loss_enabled:  # a mixture of experts has a loss of its own beside it
            return super().compute_loss(model, inputs, return_outputs, num_items_in_batch)
        labels = inputs["labels"]
        learnt = labels != IGNORED
        first = int(learnt.any(dim=0).nonzero()[0])
        read = {name: each for name, each in inputs.items() if name != "labels"}
        # Each token is told by the one before it.
        outputs = model(**read, use_cache=False, logits_to_keep=labels.shape[1] - first + 1)
        told, wanted = outputs.logits[:, :-1].float(), labels[:, first:]
        loss = cross_entropy(
            told.flatten(0, 1), wanted.flatten(), ignore_index=IGNORED, reduction="sum"
        )
        loss = loss / (learnt.sum() if num_items_in_batch is None else num_items_in_batch)
        if num_items_in_batch is not None:  # of all processes, whose gradients are averaged
            loss = loss * self.accelerator.num_processes
        right = (told.detach().argmax(dim=-1) == wanted)[wanted != IGNORED]
        mode = "train" if self.model.training else "eval"
        self._metrics[mode]["mean_token_accuracy"].append(float(right.float().mean()))
        return (loss, outputs) if return_outputs else loss
