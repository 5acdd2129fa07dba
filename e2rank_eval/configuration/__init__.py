"""The experiment configuration (config/*.yaml): its fields, their ranges, and how it is read."""

from e2rank_eval.configuration.experiment import (
    ComparisonSettings,
    Configuration,
    DatasetSettings,
    LatencySettings,
    SweepSettings,
)
from e2rank_eval.configuration.reading import parse_configuration, read_configuration
from e2rank_eval.configuration.systems import (
    CrossEncoderSettings,
    CustomSettings,
    E2RankSettings,
    FeedbackSettings,
    FirstStageSettings,
    IdentitySettings,
    ListwiseSettings,
    MonoT5Settings,
    Name,
    PairwiseSettings,
    PointwiseSettings,
    RerankerBase,
    RerankerSettings,
    Strict,
)
from e2rank_eval.configuration.yaml_files import line_of, load_mapping

__all__ = [
    "ComparisonSettings",
    "Configuration",
    "CrossEncoderSettings",
    "CustomSettings",
    "DatasetSettings",
    "E2RankSettings",
    "FeedbackSettings",
    "FirstStageSettings",
    "IdentitySettings",
    "LatencySettings",
    "ListwiseSettings",
    "MonoT5Settings",
    "Name",
    "PairwiseSettings",
    "PointwiseSettings",
    "RerankerBase",
    "RerankerSettings",
    "Strict",
    "SweepSettings",
    "line_of",
    "load_mapping",
    "parse_configuration",
    "read_configuration",
]
