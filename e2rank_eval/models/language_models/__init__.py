"""Language models behind one protocol: chat in, greedy text or next-token logits out."""
