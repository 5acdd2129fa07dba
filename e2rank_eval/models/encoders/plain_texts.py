"""An encoder whose listwise vectors come from other weights than its documents and plain queries."""

from __future__ import annotations

from collections.abc import Sequence

from e2rank_eval.errors import InputError
from e2rank_eval.models.encoders.base import Encoded, Encoder, Kind
from e2rank_eval.records import ListwiseInput
from e2rank_eval.store.files import sha256_json


class PlainTexts:
    """Texts by themselves as ``plain`` embeds them, listwise inputs as ``listwise`` does.

    What E2Rank's training with frozen documents needs: an index of ``plain`` serves as it is, and its
    stored vectors are shared, since ``document_fingerprint`` is that of ``plain``.

    Raises
    ------
    InputError
        When their vectors have different lengths.
    """

    def __init__(self, listwise: Encoder, plain: Encoder) -> None:
        if listwise.dimension != plain.dimension:
            raise InputError(
                f"vectors of {listwise.name} have {listwise.dimension} numbers, of {plain.name} "
                f"{plain.dimension}",
                hint="name the model that it was trained from in plain_model",
            )
        self.name = listwise.name
        self.fingerprint = sha256_json({"listwise": listwise.fingerprint, "plain": plain.fingerprint})
        self.document_fingerprint = plain.document_fingerprint
        self.dimension = plain.dimension
        self._listwise = listwise
        self._plain = plain

    def encode(self, texts: Sequence[str], kind: Kind) -> Encoded:
        return self._plain.encode(texts, kind)

    def encode_listwise(self, inputs: Sequence[ListwiseInput]) -> Encoded:
        return self._listwise.encode_listwise(inputs)

    def synchronise(self) -> None:
        self._listwise.synchronise()
