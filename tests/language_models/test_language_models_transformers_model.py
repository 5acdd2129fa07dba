"""Greedy generation and next-token logits, against plain forward passes of the same weights."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from tiny_chat_models import entry, write_chat_model
from transformers import AutoModelForCausalLM, AutoTokenizer, RobertaConfig, RobertaForCausalLM

from e2rank_eval.errors import InputError
from e2rank_eval.models.engines.transformers_text import TransformersModel
from e2rank_eval.models.language_models import LanguageModel
from e2rank_eval.models.loading import load_language_model


def chat(text: str) -> list[dict[str, str]]:
    return [{"role": "user", "content": text}]


CHATS = [chat("The capital of China " * (i % 5 + 1) + "is Beijing" * (i % 3)) for i in range(11)]


def load(folder: Path, *, budget: int = 8192, **changes: Any) -> TransformersModel:
    model = load_language_model(folder, entry(**changes), file_hashes={"model.safetensors": "0"})
    assert isinstance(model, TransformersModel)
    model.token_budget = budget
    return model


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_chat_model(tmp_path_factory.mktemp("llama"))


def continuation(model: Any, tokenizer: Any, messages: list[dict[str, str]], tokens: int) -> list[int]:
    """Greedy tokens by whole forward passes: neither cache nor padding nor generate()."""
    prompt = tokenizer.apply_chat_template(
        messages, tokenize=False, add_generation_prompt=True, enable_thinking=False
    )
    ids = tokenizer(prompt, add_special_tokens=False)["input_ids"]
    start = len(ids)
    with torch.inference_mode():
        while len(ids) < start + tokens:
            ids.append(int(model(torch.tensor([ids])).logits[0, -1].argmax()))
    return ids[start:]


@pytest.mark.parametrize("architecture", ["llama", "qwen3"])
def test_text_is_the_greedy_continuation(tmp_path: Path, architecture: str) -> None:
    folder = write_chat_model(tmp_path, architecture=architecture)
    tokenizer = AutoTokenizer.from_pretrained(folder)
    plain = AutoModelForCausalLM.from_pretrained(folder).eval()
    for messages, found in zip(CHATS, load(folder).generate(CHATS, max_new_tokens=8), strict=True):
        expected = continuation(plain, tokenizer, messages, 8)
        ends = {2, 0} if architecture == "qwen3" else {2}
        stop = next((i for i, token in enumerate(expected) if token in ends), 8)
        assert found.text == tokenizer.decode(expected[:stop], skip_special_tokens=True)
        assert found.finished == (stop < 8)
        assert found.output_tokens == min(stop + 1, 8)


@pytest.mark.parametrize("budget", [1, 200, 100_000])
def test_batches_change_nothing(folder: Path, budget: int) -> None:
    model = load(folder)
    alone = [model.generate([one], max_new_tokens=12)[0] for one in CHATS]
    assert len({one.text for one in alone}) > 3
    assert load(folder, budget=budget).generate(CHATS, max_new_tokens=12) == alone
    choices = ("yes", "no")
    single = np.concatenate([model.next_token([one], choices).logits for one in CHATS])
    together = load(folder, budget=budget).next_token(CHATS, choices)
    np.testing.assert_allclose(together.logits, single, atol=1e-4)
    assert together.prompt_tokens == tuple(one.prompt_tokens for one in alone)


def test_next_token_agrees_with_a_plain_forward(folder: Path) -> None:
    model, judged = AutoModelForCausalLM.from_pretrained(folder).eval(), load(folder)
    tokenizer = AutoTokenizer.from_pretrained(folder)
    columns = [tokenizer(word, add_special_tokens=False)["input_ids"][0] for word in ("yes", "no")]
    for messages in CHATS[:4]:
        prompt = tokenizer.apply_chat_template(
            messages, tokenize=False, add_generation_prompt=True, enable_thinking=False
        )
        with torch.inference_mode():
            expected = model(**tokenizer(prompt, return_tensors="pt", add_special_tokens=False)).logits[0, -1]
        found = judged.next_token([messages], ("yes", "no")).logits[0]
        np.testing.assert_allclose(found, expected[columns].numpy(), atol=1e-4)


def test_no_chat_gives_no_text(folder: Path) -> None:
    model = load(folder)
    assert model.generate([], max_new_tokens=3) == []
    assert model.next_token([], ("yes", "no")).logits.shape == (0, 2)


def test_a_model_without_pad_token_is_padded_all_the_same(tmp_path: Path, folder: Path) -> None:
    bare = load(write_chat_model(tmp_path, pad_token=False))
    assert bare.generate(CHATS, max_new_tokens=6) == load(folder).generate(CHATS, max_new_tokens=6)


def test_sampling_settings_of_the_checkpoint_neither_count_nor_warn(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, recwarn: pytest.WarningsRecorder
) -> None:
    model = load(write_chat_model(tmp_path, architecture="qwen3"))
    logger = logging.getLogger("transformers")
    logger.addHandler(caplog.handler)
    try:
        texts = [model.generate(CHATS, max_new_tokens=5) for _ in range(2)]
    finally:
        logger.removeHandler(caplog.handler)
    assert texts[0] == texts[1]
    assert not caplog.records
    assert not recwarn.list


def test_a_prompt_beyond_the_window_is_refused(folder: Path) -> None:
    model = load(folder, window=60)
    tokens = model.count_prompt_tokens(CHATS[0])
    assert len(model.generate(CHATS[:1], max_new_tokens=60 - tokens)) == 1
    with pytest.raises(InputError, match=f"{tokens} tokens and {61 - tokens} of output exceed the 60"):
        model.generate(CHATS[:1], max_new_tokens=61 - tokens)
    with pytest.raises(InputError, match="exceed"):
        model.next_token([chat("word " * 80)], ("yes", "no"))


def test_window_is_at_most_the_models_positions(tmp_path: Path) -> None:
    assert load(write_chat_model(tmp_path, positions=128)).window == 128
    shape = {"hidden_size": 8, "num_hidden_layers": 1, "num_attention_heads": 1, "intermediate_size": 8}
    config = RobertaConfig(
        vocab_size=300, max_position_embeddings=130, pad_token_id=1, is_decoder=True, **shape
    )
    RobertaForCausalLM(config).save_pretrained(tmp_path)
    assert load(tmp_path).window == 128, "positions of texts begin at 2"


def test_choices_must_differ_in_their_first_token(folder: Path) -> None:
    model = load(folder)
    with pytest.raises(InputError, match="begin with the same token"):
        model.next_token(CHATS[:1], ("yes", "yes!"))
    with pytest.raises(InputError, match="has no token"):
        model.next_token(CHATS[:1], ("yes", ""))


def test_a_headless_checkpoint_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"missing and would be random: lm_head\.weight"):
        load(write_chat_model(tmp_path, head=False))


def test_a_folder_without_weights_is_refused(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "config.json").write_bytes((folder / "config.json").read_bytes())
    with pytest.raises(InputError, match="cannot be loaded by AutoModelForCausalLM"):
        load(tmp_path)


def test_an_encoder_generates_no_text(folder: Path) -> None:
    with pytest.raises(InputError, match="of kind 'encoder' and cannot generate text"):
        load(folder, kind="encoder")


def test_fingerprint_follows_weights_window_and_dtype(folder: Path) -> None:
    def fingerprint(digest: str, **changes: Any) -> str:
        return load_language_model(folder, entry(**changes), file_hashes={"model": digest}).fingerprint

    assert fingerprint("0") == fingerprint("0")
    others = {fingerprint("1"), fingerprint("0", window=100)}
    assert len({fingerprint("0"), *others}) == 3
    halved = fingerprint("0", dtype="bfloat16")
    assert (halved == fingerprint("0")) == (not torch.cuda.is_available()), "a CPU runs all in float32"


@pytest.fixture(scope="module")
def smollm2(smollm2_path: Path) -> LanguageModel:
    return load_language_model(smollm2_path, entry(format="gguf", window=8192), file_hashes={})


def test_smollm2_knows_the_capital_of_china_alone_and_in_a_batch(smollm2: LanguageModel) -> None:
    questions = [chat("What is the capital of China?"), chat("What is the capital of France? One word.")]
    found = smollm2.generate(questions, max_new_tokens=10)
    assert "Beijing" in found[0].text
    assert "Paris" in found[1].text
    assert found[0].finished
    assert [smollm2.generate([one], max_new_tokens=10)[0] for one in questions] == found


@pytest.mark.parametrize("architecture", ["llama", "qwen3"])
def test_likelihood_is_the_mean_of_one_token_after_another(tmp_path: Path, architecture: str) -> None:
    folder = write_chat_model(tmp_path, architecture=architecture)
    plain = AutoModelForCausalLM.from_pretrained(folder).eval()
    tokenizer = AutoTokenizer.from_pretrained(folder)
    texts = ["Beijing", "is a force that attracts two bodies", "yes"] * 3 + ["no", "say <|im_end|>"]
    found = load(folder, budget=300).likelihood(CHATS, texts)
    for messages, text, one in zip(CHATS, texts, found, strict=True):
        prompt = tokenizer.apply_chat_template(
            messages, tokenize=False, add_generation_prompt=True, enable_thinking=False
        )
        ids = tokenizer(prompt, add_special_tokens=False)["input_ids"]
        answer = tokenizer(text, add_special_tokens=False, split_special_tokens=True)["input_ids"]
        scores = []
        for token in answer:
            with torch.inference_mode():
                scores.append(float(plain(torch.tensor([ids])).logits[0, -1].log_softmax(-1)[token]))
            ids.append(token)
        assert one.log_probability == pytest.approx(sum(scores) / len(scores), abs=1e-4)
        assert one.tokens == len(ids)


def test_likelihood_needs_a_token_and_the_room_for_it(folder: Path) -> None:
    assert load(folder).likelihood([], []) == []
    with pytest.raises(InputError, match="without tokens has no likelihood"):
        load(folder).likelihood(CHATS[:1], [""])
    with pytest.raises(InputError, match="exceed the 60"):
        load(folder, window=60).likelihood(CHATS[:1], ["word " * 60])


def test_each_prompt_needs_room_for_its_own_answer_only(folder: Path) -> None:
    model, chats, texts = load(folder, window=80), [chat("a"), chat("word " * 8)], ["word " * 8, "a"]
    assert model.count_prompt_tokens(chats[1]) + model.count_tokens(texts[0]) > 80
    alone = [model.likelihood([one], [text])[0] for one, text in zip(chats, texts, strict=True)]
    together = model.likelihood(chats, texts)
    assert [one.tokens for one in together] == [one.tokens for one in alone]
