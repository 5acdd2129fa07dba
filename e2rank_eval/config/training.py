"""Settings of training runs (config/train/*.yaml): model, training lists, losses and optimiser."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field, field_validator, model_validator

from e2rank_eval.config.references import Reference
from e2rank_eval.config.systems import Name, Strict

Compared = Literal["query", "listwise"]
"""The vector that a loss compares with document vectors: of the plain query, or of the listwise prompt."""


class TrainingListFile(Strict):
    """A file of training lists: JSON lines with query, document (a list), ranking (1-based), source."""

    path: Path
    made_from: Path | None = Field(
        None, description="input of `e2rank-eval training-lists`: a YAML file of a mix, or a BEIR folder"
    )
    source: str | None = Field(None, description="take only the lists of this source; null: of all")
    per_source: int | None = Field(
        10_000, ge=1, description="lists sampled from each source; null: all (the paper samples 10,000)"
    )
    share: int | None = Field(
        None, ge=1, description="number of these lists in every batch; null: a batch has lists of one source"
    )


class JudgedCollection(Strict):
    """Training lists of a judged collection: candidates of a first stage, ordered by the judgements."""

    dataset: str = Field(description="a data set name, or a folder in BEIR layout")
    split: str = "train"
    first_stage: dict[str, Any] = Field(
        {"retriever": "bm25", "analyser": "lucene", "quantised_lengths": True},
        description="settings as in first_stages of a configuration",
    )
    depth: int = Field(100, ge=2, description="candidates per query")
    tested: str | None = Field(None, description="split for testing: its queries are not trained on")

    @field_validator("first_stage")
    @classmethod
    def _retriever_is_given(cls, settings: dict[str, Any]) -> dict[str, Any]:
        if "retriever" not in settings:
            raise ValueError("give a retriever, such as bm25")
        return settings


class PromptSettings(Strict):
    """The documents of a training list that its listwise prompt holds."""

    documents: tuple[int, int] | None = Field(
        None,
        description="least and most top documents in the prompt, drawn for each list; null: all documents; "
        "0, 0: the query alone",
    )
    variant: Literal["eval", "readme", "training"] = Field(
        "training", description="wording of a decoder's prompt; bidirectional encoders have only one"
    )

    @model_validator(mode="after")
    def _ordered(self) -> PromptSettings:
        if self.documents is not None and not 0 <= self.documents[0] <= self.documents[1]:
            raise ValueError("documents: write the least number, at least 0, before the most")
        return self


class InfoNCESettings(Strict):
    """Contrastive loss of the positive against the other documents of list and batch (paper, equation 1)."""

    weight: float = Field(1.0, gt=0)
    temperature: float = Field(0.03, gt=0)
    vector: Compared = "query"
    positive: Literal["teacher", "labelled"] = Field(
        "teacher",
        description="the teacher's top document, as in the official code, or the labelled positives",
    )


class RankNetSettings(Strict):
    """Pairwise loss over all ordered pairs of a list (paper, section 3.3)."""

    weight: float = Field(2.0, gt=0)
    temperature: float = Field(0.1, gt=0)
    vector: Compared = "listwise"


class ListNetSettings(Strict):
    """Cross-entropy between the softmax of a list's scores and its gains; not in the paper."""

    weight: float = Field(1.0, gt=0)
    temperature: float = Field(0.05, gt=0)
    vector: ClassVar[Compared] = "listwise"


class ResidualSettings(Strict):
    """Score with unit(weight x plain query vector + listwise vector) instead of the listwise vector."""

    weight: float = Field(0.5, gt=0, le=10)


class DirectionSettings(Strict):
    """Regularise the listwise vector (with residual) towards targets of frozen vectors; not in the paper.

    ``oracle`` and ``feedback`` are weights of 1 - cosine to their targets; see
    :mod:`e2rank_eval.training.losses`.
    """

    oracle: float = Field(0.0, ge=0, description="target: unit(query + unit(mean of the positives))")
    feedback: float = Field(
        0.0, ge=0, description="target: unit(query + unit(softmax-weighted mean of the prompt's documents))"
    )
    temperature: float = Field(0.1, gt=0, description="temperature of the softmax in feedback")


class LoraSettings(Strict):
    """Low-rank adapters in place of full training, merged into the weights that are saved."""

    rank: int = Field(16, ge=1)
    alpha: int = Field(32, ge=1)
    targets: list[str] = Field(
        ["q_proj", "k_proj", "v_proj", "o_proj"], min_length=1, description="names of linear layers"
    )


class OptimiserSettings(Strict):
    """AdamW with linear warm-up and linear decay of the learning rate; gradients are clipped to norm 1."""

    learning_rate: float = Field(gt=0)
    warm_up: float = Field(
        0.03, ge=0, le=1, description="share of the steps in which the learning rate rises"
    )


class DevelopmentSettings(Strict):
    """Development lists, on which the model is evaluated during training."""

    path: Path | None = Field(None, description="JSONL file; null: the held-out queries of the collection")
    every: int = Field(50, ge=1, description="steps between evaluations")
    patience: int | None = Field(
        None, ge=1, description="stop after so many evaluations without improvement; null: never"
    )


class SaveSettings(Strict):
    """The form of the saved weights, which are the best on the development lists where there are any."""

    weights: Literal["whole", "changed"] = Field(
        "whole", description="a folder that loads by itself, or only the tensors that training changed"
    )
    dtype: Literal["float32", "bfloat16", "float16"] = "float32"
    trained: float = Field(
        1.0, gt=0, le=1, description="share of the trained weights in the saved mean of them and the base's"
    )


class RunBase(Strict):
    """Settings that all kinds of training runs share."""

    objective: str
    title: str
    model: Reference | None = Field(None, description="model that training starts from")
    follows: Name | None = Field(None, description="run of this file from whose weights training starts")
    data: list[TrainingListFile] = Field([])
    collection: JudgedCollection | None = Field(None, description="a judged collection in place of data")
    licence: str = Field("see the data's", description="licence of the trained weights, for the model card")
    seed: int = Field(13, ge=0)
    threads: int = Field(2, ge=1, description="CPU threads; weights trained on a CPU depend on it")
    epochs: int = Field(1, ge=1, description="passes over the data, where steps is not given")
    steps: int | None = Field(None, ge=1, description="optimizer steps; the data are repeated as needed")
    batch: int = Field(description="lists per optimizer step", ge=1)
    device_batch: int | None = Field(
        None, ge=1, description="lists that a device processes together, with in-batch negatives; null: batch"
    )
    list_documents: int | None = Field(None, ge=2, description="documents used of a list; null: all")
    document_tokens: int = Field(1024, ge=8)
    query_tokens: int = Field(512, ge=8)
    window: int | None = Field(None, ge=16, description="most tokens of an input; null: the model's limit")
    optimiser: OptimiserSettings
    trainable: list[str] = Field(
        [], description="regular expressions for the names of trained parameters; empty: all are trained"
    )
    lora: LoraSettings | None = None
    dropout: bool = Field(True, description="apply the dropout of the model's configuration")
    gradient_checkpointing: bool = Field(
        False, description="recompute activations in the backward pass, which saves memory"
    )
    precision: Literal["no", "bf16"] = "no"
    deepspeed: Path | None = Field(None, description="a DeepSpeed configuration (JSON), for several GPUs")
    checkpoint_every: int = Field(100, ge=1, description="steps between checkpoints")
    development: DevelopmentSettings | None = None
    save: SaveSettings = Field(default_factory=SaveSettings)
    entry: dict[str, Any] = Field({}, description="fields to set in the trained model's registry entry")
    note: str = Field("", description="note for the model card, such as limits or differences from the paper")

    @model_validator(mode="after")
    def _consistent(self) -> RunBase:
        if (self.model is None) == (self.follows is None):
            raise ValueError("give model or follows")
        if bool(self.data) == (self.collection is not None):
            raise ValueError("give data or collection")
        if self.development is not None and (self.development.path is None) != (self.collection is not None):
            raise ValueError("development.path: needed with data, and not with collection")
        shares = [one.share for one in self.data if one.share is not None]
        if shares and (len(shares) < len(self.data) or sum(shares) != self.together):
            raise ValueError(f"data: every file needs a share, and the shares must sum to {self.together}")
        if shares and self.steps is None:
            raise ValueError("steps: needed where data have shares, since the files have different lengths")
        if self.save.weights == "changed" and self.objective not in ("stage1", "stage2"):
            raise ValueError("save.weights: must be whole, since the base model has another head")
        if self.batch % self.together:
            raise ValueError("batch: must be a multiple of device_batch")
        for key in ("lora", "development"):
            if self.deepspeed is not None and getattr(self, key) is not None:
                raise ValueError(f"{key}: cannot be used with deepspeed, which partitions the weights")
        if self.save.trained < 1 and (self.lora is not None or self.deepspeed is not None):
            raise ValueError("save.trained: must be 1 with lora or deepspeed")
        return self

    @property
    def together(self) -> int:
        """The number of lists that a device processes together."""
        return self.device_batch or self.batch


class Stage1Run(RunBase):
    """Stage I: contrastive training of the plain query and document vectors (paper, section 3.3)."""

    objective: Literal["stage1"]
    info_nce: InfoNCESettings = Field(default_factory=InfoNCESettings)
    ranknet: ClassVar[None] = None
    list_net: ClassVar[None] = None
    prompt: ClassVar[PromptSettings] = PromptSettings()
    residual: ClassVar[None] = None
    direction: ClassVar[None] = None
    frozen_documents: ClassVar[bool] = False


class Stage2Run(RunBase):
    """Stage II: the listwise vector learns the teacher's order; documents may be frozen."""

    objective: Literal["stage2"]
    info_nce: InfoNCESettings | None = Field(default_factory=InfoNCESettings)
    ranknet: RankNetSettings | None = Field(default_factory=RankNetSettings)
    list_net: ListNetSettings | None = None
    prompt: PromptSettings = Field(default_factory=PromptSettings)
    residual: ResidualSettings | None = None
    frozen_documents: bool = Field(
        False, description="documents and plain queries keep the vectors of the initial model"
    )
    direction: DirectionSettings | None = Field(None, description="only with frozen_documents")

    @model_validator(mode="after")
    def _has_a_loss(self) -> Stage2Run:
        if self.direction is not None and not self.frozen_documents:
            raise ValueError("direction: only with frozen_documents, whose vectors make its targets")
        given = [one for one in (self.info_nce, self.ranknet, self.list_net) if one is not None]
        if not given:
            raise ValueError("give info_nce, ranknet or list_net")
        compared = {one.vector for one in given}
        if self.frozen_documents and "query" in compared:
            raise ValueError("vector: must be listwise, since frozen_documents freezes the plain query too")
        return self


class ListwiseRun(RunBase):
    """RankGPT-style baseline: a causal model learns to generate the teacher's ranking of each list."""

    objective: Literal["listwise"]


class CrossEncoderRun(RunBase):
    """Pointwise baseline: a cross-encoder, trained with RankNet on the scores of each list."""

    objective: Literal["cross-encoder"]
    ranknet: RankNetSettings = Field(default_factory=lambda: RankNetSettings(weight=1.0, temperature=1.0))


TrainingRun = Annotated[
    Stage1Run | Stage2Run | ListwiseRun | CrossEncoderRun, Field(discriminator="objective")
]


class TrainingFile(Strict):
    """One file of config/train/; checkpoints and weights of a run are stored in ``output/<run>/``."""

    output: Path = Path("models")
    cache: Path = Path("cache")
    runs: dict[Name, TrainingRun] = Field(min_length=1)

    @model_validator(mode="after")
    def _runs_resolve(self) -> TrainingFile:
        earlier: set[str] = set()
        for name, run in self.runs.items():
            if run.follows is not None and run.follows not in earlier:
                raise ValueError(f"runs.{name}.follows: no earlier run is named {run.follows!r}")
            earlier.add(name)
        return self
