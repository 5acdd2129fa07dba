"""Settings of training (config/train/*.yaml): runs by name, what each trains, on what, and how."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from e2rank_eval.config.systems import Name, Strict


class TrainingListFile(Strict):
    """A file of training lists: JSON lines with query, document (a list), ranking (1-based), source."""

    path: Path
    made_from: Path | None = Field(
        None,
        description="source of `e2rank-eval training-lists`: a YAML file of packages, or a BEIR folder",
    )
    per_source: int | None = Field(
        10_000, ge=1, description="training lists drawn of each source; null: all (the paper draws 10,000)"
    )
    share: int | None = Field(
        None,
        ge=1,
        description="training lists of this file in every batch; null: every batch is of one source",
    )


class PromptSettings(Strict):
    """Which of a list's documents stand in its listwise prompt."""

    documents: tuple[int, int] | None = Field(
        None,
        description="least and most of its first documents, drawn for each training list; null: all of them",
    )
    windows: list[int] = Field(
        [], description="tokens of the whole prompt, one drawn for each batch; empty: the run's window"
    )
    variant: Literal["eval", "readme", "training"] = Field(
        "training", description="wording of a decoder's prompt; a bidirectional encoder has one form"
    )
    leave_out: float = Field(
        0.0, ge=0, le=1, description="share of training lists whose positives are left out of the prompt"
    )

    @model_validator(mode="after")
    def _ordered(self) -> PromptSettings:
        if self.documents is not None and not 1 <= self.documents[0] <= self.documents[1]:
            raise ValueError("documents: the least number comes first, and is at least 1")
        return self


class InfoNCESettings(Strict):
    """Contrastive loss: the best document against the list's others and the batch's (paper, equation 1)."""

    weight: float = Field(1.0, gt=0)
    temperature: float = Field(0.03, gt=0)
    vector: Literal["query", "listwise"] = Field("query", description="what is compared with the documents")
    in_batch: bool = Field(
        True, description="the documents of the batch's other training lists are negatives too"
    )
    positive: Literal["teacher", "labelled"] = Field(
        "teacher",
        description="the teacher's first document, as in the official code, or those known to be",
    )


class RankNetSettings(Strict):
    """Pairwise loss over all ordered pairs of a training list (paper, section 3.3)."""

    weight: float = Field(2.0, gt=0)
    temperature: float = Field(0.1, gt=0)
    vector: Literal["query", "listwise"] = Field("listwise", description="what is compared with documents")


class ResidualSettings(Strict):
    """Scores by unit(weight x plain query vector + listwise vector) in place of the listwise vector."""

    weight: float = Field(0.5, gt=0, le=10)
    learned: bool = Field(False, description="train the weight as well")


class DirectionSettings(Strict):
    """Draws the listwise vector (residual added) to vectors made of frozen ones; not in the paper."""

    oracle: float = Field(
        0.0, ge=0, description="weight of 1 - cosine to unit(plain query + unit(mean of the positives))"
    )
    feedback: float = Field(
        0.0,
        ge=0,
        description="weight of 1 - cosine to unit(plain query + unit(softmax-weighted mean of the prompt's "
        "documents)), weighted by their similarity to the plain query",
    )
    temperature: float = Field(0.1, gt=0, description="of those weights")


class LoraSettings(Strict):
    """Low-rank adapters in place of full updates, merged into the weights that are saved."""

    rank: int = Field(16, ge=1)
    alpha: int = Field(32, ge=1)
    dropout: float = Field(0.0, ge=0, lt=1)
    targets: list[str] = Field(
        ["q_proj", "k_proj", "v_proj", "o_proj"], min_length=1, description="names of linear layers"
    )


class OptimiserSettings(Strict):
    """AdamW, and the course of its learning rate over all updates."""

    learning_rate: float = Field(gt=0)
    warm_up: float = Field(0.03, ge=0, le=1, description="share of the updates")
    schedule: Literal["linear", "constant"] = "linear"
    weight_decay: float = Field(0.0, ge=0)
    betas: tuple[float, float] = (0.9, 0.999)
    epsilon: float = Field(1e-8, gt=0)
    clip_norm: float | None = Field(1.0, gt=0, description="largest norm of all gradients; null: any")


class DevelopmentSettings(Strict):
    """Training lists set aside, on which training is watched."""

    path: Path
    every: int = Field(50, ge=1, description="updates between evaluations")
    patience: int | None = Field(
        None, ge=1, description="stop after so many evaluations without a better one; null: never"
    )


class SaveSettings(Strict):
    """What becomes of the trained weights; the best on the development set where there is one."""

    weights: Literal["whole", "changed"] = Field(
        "whole", description="a folder that loads by itself, or only the tensors that training changed"
    )
    dtype: Literal["float32", "bfloat16", "float16"] = "float32"


class RunBase(Strict):
    """What every kind of run has."""

    title: str
    model: Name | None = Field(None, description="registry model that training starts from")
    follows: Name | None = Field(None, description="a run of this file whose weights it starts from instead")
    data: list[TrainingListFile] = Field(min_length=1)
    licence: str = Field("see the data's", description="of the trained weights, for the model card")
    seed: int = Field(13, ge=0)
    threads: int = Field(2, ge=1, description="part of what decides the bits on a CPU")
    epochs: int = Field(1, ge=1, description="passes over the data, where steps is not given")
    steps: int | None = Field(None, ge=1, description="updates; the data is gone through as often as needed")
    batch: int = Field(description="training lists of one update", ge=1)
    device_batch: int | None = Field(
        None, ge=1, description="training lists seen together by one device: in-batch negatives; null: batch"
    )
    list_documents: int | None = Field(
        None, ge=2, description="documents taken of a training list; null: all"
    )
    document_tokens: int = Field(1024, ge=8)
    query_tokens: int = Field(512, ge=8)
    window: int | None = Field(None, ge=16, description="tokens of the longest input; null: the model's")
    optimiser: OptimiserSettings
    trainable: list[str] = Field(
        [], description="regular expressions that names of trained parameters match; empty: all"
    )
    lora: LoraSettings | None = None
    dropout: bool = Field(True, description="the dropout that the model's configuration has")
    gradient_checkpointing: bool = False
    gradient_cache: int | None = Field(
        None, ge=1, description="tokens run at once when a batch's graph does not fit memory; null: all"
    )
    precision: Literal["no", "bf16"] = "no"
    deepspeed: Path | None = Field(None, description="a DeepSpeed configuration (JSON), for several GPUs")
    checkpoint_every: int = Field(100, ge=1, description="updates between checkpoints")
    keep_checkpoints: int = Field(2, ge=1)
    development: DevelopmentSettings | None = None
    save: SaveSettings = Field(default_factory=SaveSettings)
    entry: dict[str, Any] = Field({}, description="fields of the trained model's registry entry to change")
    note: str = Field("", description="for the model card: limits, what contradicts the paper")

    @model_validator(mode="after")
    def _consistent(self) -> RunBase:
        if (self.model is None) == (self.follows is None):
            raise ValueError("give model or follows")
        shares = [one.share for one in self.data if one.share is not None]
        if shares and (len(shares) < len(self.data) or sum(shares) != self.together):
            raise ValueError(f"data: every file needs a share, and together they are {self.together}")
        if shares and self.steps is None:
            raise ValueError("steps: needed where data have shares, since files then end at different times")
        if self.batch % self.together:
            raise ValueError("batch: a multiple of device_batch")
        for key in ("gradient_cache", "lora", "development"):
            if self.deepspeed is not None and getattr(self, key) is not None:
                raise ValueError(f"{key}: not with deepspeed, which keeps the weights in parts")
        return self

    @property
    def together(self) -> int:
        """Training lists that one device sees together."""
        return self.device_batch or self.batch


class Stage1Run(RunBase):
    """Stage I: contrastive training of the plain vectors (paper, section 3.3)."""

    objective: Literal["stage1"]
    info_nce: InfoNCESettings = Field(default_factory=InfoNCESettings)


class Stage2Run(RunBase):
    """Stage II: the listwise vector learns the teacher's order; documents may be frozen."""

    objective: Literal["stage2"]
    info_nce: InfoNCESettings | None = Field(default_factory=InfoNCESettings)
    ranknet: RankNetSettings | None = Field(default_factory=RankNetSettings)
    prompt: PromptSettings = Field(default_factory=PromptSettings)
    residual: ResidualSettings | None = None
    frozen_documents: bool = Field(
        False,
        description="documents and plain queries keep the vectors of the model it starts from",
    )
    pull: float = Field(
        0.0, ge=0, description="weight of 1 - cosine(listwise vector, plain query vector): against forgetting"
    )

    direction: DirectionSettings | None = Field(None, description="only with frozen_documents")

    @model_validator(mode="after")
    def _has_a_loss(self) -> Stage2Run:
        if self.direction is not None and not self.frozen_documents:
            raise ValueError("direction: only with frozen_documents, whose vectors it is made of")
        if self.info_nce is None and self.ranknet is None:
            raise ValueError("give info_nce, ranknet or both")
        if self.residual is not None and self.residual.learned and self.gradient_cache is not None:
            raise ValueError("residual.learned: not with gradient_cache, which trains the model alone")
        compared = {one.vector for one in (self.info_nce, self.ranknet) if one is not None}
        if self.frozen_documents and "query" in compared:
            raise ValueError("vector: listwise, since frozen_documents freezes the plain query too")
        return self


class BaselineRun(RunBase):
    """A model of another kind than the one it starts from."""

    @model_validator(mode="after")
    def _whole(self) -> BaselineRun:
        if self.save.weights != "whole":
            raise ValueError("save.weights: whole, since the base model has another head")
        return self


class ListwiseRun(BaselineRun):
    """RankGPT-style baseline: a causal model learns to write the teacher's ranking."""

    objective: Literal["listwise"]

    @model_validator(mode="after")
    def _list_by_list(self) -> ListwiseRun:
        if self.gradient_cache is not None:
            raise ValueError("gradient_cache: not needed, since training lists run one by one")
        return self


class CrossEncoderRun(BaselineRun):
    """Pointwise baseline: one score for query and document together, trained by RankNet."""

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
                raise ValueError(f"runs.{name}.follows: no run {run.follows!r} stands before it")
            earlier.add(name)
        return self
