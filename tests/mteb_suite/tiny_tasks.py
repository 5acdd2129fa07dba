"""Tasks of a user's own package, named by ``tiny_tasks:Greetings``."""

from __future__ import annotations

from typing import Any

from datasets import Dataset, DatasetDict
from mteb.abstasks import AbsTaskSTS
from mteb.abstasks.task_metadata import TaskMetadata


class Greetings(AbsTaskSTS):
    """Four pairs of texts."""

    metadata = TaskMetadata(
        name="Greetings", description="Four pairs", type="STS", category="t2t",
        dataset={"path": "mine/greetings", "revision": "1"}, eval_splits=["test"], eval_langs=["eng-Latn"],
        main_score="cosine_spearman", modalities=["text"],
    )  # fmt: skip

    def load_data(self, num_proc: int | None = None, **kwargs: Any) -> None:
        columns = {
            "sentence1": ["hello", "a cat", "red", "two"],
            "sentence2": ["good day", "a kitten", "a truck", "fog"],
            "score": [5.0, 4.0, 1.0, 0.0],
        }
        self.dataset = DatasetDict({"test": Dataset.from_dict(columns)})
        self.data_loaded = True


class STS13(Greetings):
    """A task with the name of one of mteb's."""

    metadata = Greetings.metadata.model_copy(update={"name": "STS13"})
