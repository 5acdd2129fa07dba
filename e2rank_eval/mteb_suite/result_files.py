"""mteb's own result files, each written whole or not at all, and what a task took beside them."""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mteb.cache import ResultCache
from mteb.models.model_meta import ModelMeta
from mteb.results import TaskResult
from pydantic import ValidationError

from e2rank_eval.errors import InputError
from e2rank_eval.progress import say
from e2rank_eval.store.files import read_json, write_bytes, write_json

_USAGE = "usage"
"""Folder beside mteb's ``results``: a file of ours among its own would count as a task there."""


class ResultFiles(ResultCache):
    """``<root>/results/<org>__<name>/<revision>/<task>.json``, as mteb writes and reads it."""

    def save_to_cache(
        self,
        task_result: TaskResult,
        model_name: str | ModelMeta,
        model_revision: str | None = None,
        *,
        encode_kwargs: Mapping[str, Any] | None = None,
    ) -> None:
        """mteb's own writing, done aside; then each file is renamed into place, the scores last."""
        named = (task_result.task_name, model_name, model_revision)
        target = self.get_task_result_path(*named)
        with tempfile.TemporaryDirectory(dir=self.cache_path, prefix=".saving.") as scratch:
            aside = ResultCache(scratch)
            written = aside.get_task_result_path(*named)
            settings = target.with_name("run_settings.jsonl")
            if settings.exists():
                written.parent.mkdir(parents=True)
                shutil.copy(settings, written.parent)
            aside.save_to_cache(task_result, model_name, model_revision, encode_kwargs=encode_kwargs)
            for path in sorted(written.parent.iterdir(), key=lambda one: one == written):
                write_bytes(target.with_name(path.name), path.read_bytes())

    def load_task_result(self, task_name: str, model_name: str | ModelMeta, *args: Any, **kwargs: Any) -> Any:
        """A stored result, or None; one that is torn is reported, removed and counts as missing."""
        try:
            return super().load_task_result(task_name, model_name, *args, **kwargs)
        except (json.JSONDecodeError, UnicodeDecodeError, ValidationError, KeyError) as error:
            path = self.get_task_result_path(task_name, model_name, *args)
            say(f"{path}: no whole result ({type(error).__name__}); the task is run again")
            path.unlink()
            return None

    def drop(self, task_name: str, meta: ModelMeta) -> None:
        self.get_task_result_path(task_name, meta).unlink(missing_ok=True)

    def read_usage(self, task_name: str, meta: ModelMeta) -> dict[str, Any] | None:
        """What :meth:`write_usage` stored; None where nothing whole is there."""
        path = self._usage_path(task_name, meta)
        if not path.exists():
            return None
        try:
            found = read_json(path)
        except InputError as error:
            say(f"{error.path}: {error.problem}; taken as absent")
            return None
        return found if isinstance(found, dict) and "key" in found else None

    def write_usage(self, task_name: str, meta: ModelMeta, usage: Mapping[str, Any]) -> None:
        write_json(self._usage_path(task_name, meta), dict(usage))

    def _usage_path(self, task_name: str, meta: ModelMeta) -> Path:
        result = self.get_task_result_path(task_name, meta)
        return self.cache_path / _USAGE / result.relative_to(self.cache_path / "results")
