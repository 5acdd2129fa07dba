"""Registries of the engines that run models; each engine is a module that registers itself."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from e2rank_eval.models.encoders.backbone import Backbone
from e2rank_eval.models.language_models import LanguageModel
from e2rank_eval.models.registry import ModelEntry
from e2rank_eval.registry import Registry

BACKBONES: Registry[Callable[..., Backbone]] = Registry("engine for vectors", __name__)
"""By ``engine`` of a registry entry: load the model in a folder, given its entry, as a backbone.

Engines of encoders also take a :class:`~e2rank_eval.models.encoders.form.Head`.
"""

LANGUAGE_MODELS: Registry[Callable[[Path, ModelEntry, Mapping[str, str]], LanguageModel]] = Registry(
    "engine for text", __name__
)
"""By ``engine`` of a registry entry: load the model in a folder, given its entry and SHA-256 hashes."""
