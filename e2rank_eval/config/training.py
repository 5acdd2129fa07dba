"""Settings of training (config/train/*.yaml): runs by name, what each trains, on what, and how."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field, model_validator

from e2rank_eval.config.references import Reference
from e2rank_eval.config.systems import Name, Strict

Compared = Literal["query", "listwise"]
"""The vector that a loss compares with the documents' vectors: of the plain query or of the prompt."""


class TrainingListFile(Strict):
    """A file of training lists: JSON lines with query, document (a list), ranking (1-based), source."""

    path: Path
    made_from: Path | None = Field(
        None, description="source of `e2rank-eval training-lists`: a YAML file of a mix, or a BEIR folder"
    )
    source: str | None = Field(None, description="the only source whose lists are taken; null: all")
    per_source: int | None = Field(
        10_000, ge=1, description="lists drawn of each source; null: all (the paper draws 10,000)"
    )
    share: int | None = Field(
        None, ge=1, description="of these lists in every batch; null: every batch is of one source"
    )


class JudgedCollection(Strict):
    """Training lists of a judged collection: what a first stage finds, ordered by the judgements."""

    dataset: str = Field(description="as `e2rank-eval fine-tune --dataset` takes it")
    split: str = "train"
    first_stage: dict[str, Any] = Field(
        {"retriever": "bm25", "analyser": "lucene", "quantised_lengths": True},
        description="as in a configuration's first_stages",
    )
    depth: int = Field(100, ge=2, description="candidates of a query")
    held_out: int = Field(
        150, ge=1, description="most queries held out as development lists; never over a fifth"
    )


class PromptSettings(Strict):
    """The documents of a training list that its listwise prompt holds."""

    documents: tuple[int, int] | None = Field(
        None,
        description="least and most of its first documents, drawn for each list; null: all of them; "
        "0, 0: the query alone",
    )
    variant: Literal["eval", "readme", "training"] = Field(
        "training", description="wording of a decoder's prompt; a bidirectional encoder has one form"
    )

    @model_validator(mode="after")
    def _ordered(self) -> PromptSettings:
        if self.documents is not None and not 0 <= self.documents[0] <= self.documents[1]:
            raise ValueError("documents: the least number comes first, and is not negative")
        return self


class InfoNCESettings(Strict):
    """Contrastive loss: the best document against the list's others and the batch's (paper, equation 1)."""

    weight: float = Field(1.0, gt=0)
    temperature: float = Field(0.03, gt=0)
    vector: Compared = "query"
    positive: Literal["teacher", "labelled"] = Field(
        "teacher", description="the teacher's first document, as in the official code, or the known positives"
    )


class RankNetSettings(Strict):
    """Pairwise loss over all ordered pairs of a list (paper, section 3.3)."""

    weight: float = Field(2.0, gt=0)
    temperature: float = Field(0.1, gt=0)
    vector: Compared = "listwise"


class ListNetSettings(Strict):
    """Listwise softmax loss of a list's scores against its gains; not in the paper."""

    weight: float = Field(1.0, gt=0)
    temperature: float = Field(0.05, gt=0)
    vector: ClassVar[Compared] = "listwise"


class ResidualSettings(Strict):
    """Scores by unit(weight x plain query vector + listwise vector) in place of the listwise vector."""

    weight: float = Field(0.5, gt=0, le=10)


class DirectionSettings(Strict):
    """Regularises the listwise vector (residual added) towards vectors made of frozen ones; not in the paper.

    ``oracle`` and ``feedback`` weigh 1 - cosine to the targets that :mod:`e2rank_eval.training.losses` makes.
    """

    oracle: float = Field(0.0, ge=0, description="target: unit(query + unit(mean of the positives))")
    feedback: float = Field(
        0.0, ge=0, description="target: unit(query + unit(softmax-weighted mean of the prompt's documents))"
    )
    temperature: float = Field(0.1, gt=0, description="of the softmax")


class LoraSettings(Strict):
    """Low-rank adapters in place of full training, merged into the weights that are saved."""

    rank: int = Field(16, ge=1)
    alpha: int = Field(32, ge=1)
    targets: list[str] = Field(
        ["q_proj", "k_proj", "v_proj", "o_proj"], min_length=1, description="names of linear layers"
    )


class OptimiserSettings(Strict):
    """AdamW; the learning rate rises linearly, then falls linearly to zero."""

    learning_rate: float = Field(gt=0)
    warm_up: float = Field(0.03, ge=0, le=1, description="share of the steps")
    weight_decay: float = Field(0.0, ge=0)
    clip_norm: float | None = Field(1.0, gt=0, description="largest norm of all gradients; null: any")


class DevelopmentSettings(Strict):
    """Development lists, on which training is watched."""

    path: Path | None = Field(None, description="null: those that the collection's held_out leaves")
    every: int = Field(50, ge=1, description="steps between evaluations")
    patience: int | None = Field(
        None, ge=1, description="stop after so many evaluations without a better one; null: never"
    )


class SaveSettings(Strict):
    """The form of the trained weights; the best on the development lists where there are any."""

    weights: Literal["whole", "changed"] = Field(
        "whole", description="a folder that loads by itself, or only the tensors that training changed"
    )
    dtype: Literal["float32", "bfloat16", "float16"] = "float32"


class RunBase(Strict):
    """Settings of every kind of run."""

    objective: str
    title: str
    model: Reference | None = Field(None, description="model that training starts from")
    follows: Name | None = Field(None, description="a run of this file whose weights it starts from instead")
    data: list[TrainingListFile] = Field([])
    collection: JudgedCollection | None = Field(None, description="a judged collection in place of data")
    licence: str = Field("see the data's", description="of the trained weights, for the model card")
    seed: int = Field(13, ge=0)
    threads: int = Field(2, ge=1, description="part of what decides the bits on a CPU")
    epochs: int = Field(1, ge=1, description="passes over the data, where steps is not given")
    steps: int | None = Field(None, ge=1, description="optimizer steps, over the data as often as needed")
    batch: int = Field(description="lists of one step", ge=1)
    device_batch: int | None = Field(
        None, ge=1, description="lists that a device sees together: in-batch negatives; null: batch"
    )
    list_documents: int | None = Field(None, ge=2, description="documents taken of a list; null: all")
    document_tokens: int = Field(1024, ge=8)
    query_tokens: int = Field(512, ge=8)
    window: int | None = Field(None, ge=16, description="tokens of the longest input; null: the model's")
    optimiser: OptimiserSettings
    trainable: list[str] = Field(
        [], description="regular expressions that names of trained parameters match; empty: all"
    )
    lora: LoraSettings | None = None
    dropout: bool = Field(True, description="the dropout that the model's configuration has")
    gradient_checkpointing: bool = Field(
        False, description="compute the inside of a layer again in the backward pass, for less memory"
    )
    precision: Literal["no", "bf16"] = "no"
    deepspeed: Path | None = Field(None, description="a DeepSpeed configuration (JSON), for several GPUs")
    checkpoint_every: int = Field(100, ge=1, description="steps between checkpoints")
    development: DevelopmentSettings | None = None
    save: SaveSettings = Field(default_factory=SaveSettings)
    entry: dict[str, Any] = Field({}, description="fields of the trained model's registry entry to change")
    note: str = Field("", description="for the model card: limits, what contradicts the paper")

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
            raise ValueError(f"data: every file needs a share, and together they are {self.together}")
        if shares and self.steps is None:
            raise ValueError("steps: needed where data have shares, since files then end at different times")
        if self.save.weights == "changed" and self.objective not in ("stage1", "stage2"):
            raise ValueError("save.weights: whole, since the base model has another head")
        if self.batch % self.together:
            raise ValueError("batch: a multiple of device_batch")
        for key in ("lora", "development"):
            if self.deepspeed is not None and getattr(self, key) is not None:
                raise ValueError(f"{key}: not with deepspeed, which keeps the weights in parts")
        return self

    @property
    def together(self) -> int:
        """Return the number of lists that one device sees together."""
        return self.device_batch or self.batch


class Stage1Run(RunBase):
    """Stage I: contrastive training of the plain vectors (paper, section 3.3), without what Stage II adds."""

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
        False, description="documents and plain queries keep the vectors of the model it starts from"
    )
    direction: DirectionSettings | None = Field(None, description="only with frozen_documents")

    @model_validator(mode="after")
    def _has_a_loss(self) -> Stage2Run:
        if self.direction is not None and not self.frozen_documents:
            raise ValueError("direction: only with frozen_documents, whose vectors it is made of")
        given = [one for one in (self.info_nce, self.ranknet, self.list_net) if one is not None]
        if not given:
            raise ValueError("give info_nce, ranknet or list_net")
        compared = {one.vector for one in given}
        if self.frozen_documents and "query" in compared:
            raise ValueError("vector: listwise, since frozen_documents freezes the plain query too")
        return self


class ListwiseRun(RunBase):
    """RankGPT-style baseline: a causal model learns to generate the teacher's ranking, list by list."""

    objective: Literal["listwise"]


class CrossEncoderRun(RunBase):
    """Pointwise baseline: one score for query and document together, trained on the scores of a list."""

    objective: Literal["cross-encoder"]
    ranknet: RankNetSettings = Field(default_factory=lambda: RankNetSettings(weight=1.0, temperature=1.0))


TrainingRun = Annotated[
    Stage1Run | Stage2Run | ListwiseRun | CrossEncoderRun, Field(discriminator="objective")
]


class TrainingFile(Strict):
    """One file of config/train/: ``output/<run>/`` is where a run's checkpoints and weights go."""

    output: Path = Path("models")
    cache: Path = Path("cache")
    runs: dict[Name, TrainingRun] = Field(min_length=1)

    @model_validator(mode="after")
    def _runs_resolve(self) -> TrainingFile:
        earlier: set[str] = set()
        for name, run in self.runs.items():
            if run.follows is not None and run.follows not in earlier:
                raise ValueError(f"runs.{name}.follows: no run {run.follows!r} precedes it")
            earlier.add(name)
        return self
