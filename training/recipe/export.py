"""Writes GGUF: a vocabulary with a placeholder model (for `tacit tokenize`), or a model from a trainer's checkpoint;
and reads such a file back, so that training can begin from it.

Matrices become Q8_0 (blocks of 32 weights, one half-precision scale), which is what the numeric contract computes with;
norms stay F32.
"""

import argparse
import json
import pathlib
import sys

import gguf
import numpy as np
import torch

from recipe.model import NORM_EPSILON, ROPE_BASE, Shape, Transformer
from recipe.tokenizer import BYTE_COUNT, SPECIAL

LICENSE = "MIT"
SPACE = "\u2581"  # how this kind of vocabulary spells a blank


def vocabulary_size(pieces):
    return len(SPECIAL) + BYTE_COUNT + len(pieces)


def add_vocabulary(writer, pieces):
    """Metadata of tokenizer.ggml.*: see recipe.tokenizer for the order of the ids and the scores."""
    kind = gguf.TokenType
    tokens = SPECIAL + [f"<0x{b:02X}>" for b in range(BYTE_COUNT)] + [p.replace(" ", SPACE) for p in pieces]
    types = [kind.UNKNOWN, kind.CONTROL, kind.CONTROL] + [kind.BYTE] * BYTE_COUNT + [kind.NORMAL] * len(pieces)
    scores = [0.0] * (len(SPECIAL) + BYTE_COUNT) + [-float(i) for i in range(len(pieces))]
    writer.add_tokenizer_model("llama")
    writer.add_token_list(tokens)
    writer.add_token_scores(scores)
    writer.add_token_types(types)
    writer.add_unk_token_id(0)
    writer.add_bos_token_id(1)
    writer.add_eos_token_id(2)
    writer.add_add_bos_token(True)
    writer.add_add_space_prefix(False)


def add_shape(writer, shape):
    writer.add_context_length(shape.context)
    writer.add_embedding_length(shape.width)
    writer.add_block_count(shape.layers)
    writer.add_feed_forward_length(shape.feed_forward)
    writer.add_head_count(shape.heads)
    writer.add_head_count_kv(shape.kv_heads)
    writer.add_layer_norm_rms_eps(NORM_EPSILON)
    writer.add_rope_dimension_count(shape.head)
    writer.add_rope_freq_base(ROPE_BASE)
    writer.add_vocab_size(shape.vocabulary)
    writer.add_file_type(gguf.LlamaFileType.MOSTLY_Q8_0)


BLOCK_TENSORS = {
    "attn_norm.weight": "attention_norm.weight",
    "attn_q.weight": "attention.q.weight",
    "attn_k.weight": "attention.k.weight",
    "attn_v.weight": "attention.v.weight",
    "attn_output.weight": "attention.o.weight",
    "ffn_norm.weight": "ffn_norm.weight",
    "ffn_gate.weight": "ffn.gate.weight",
    "ffn_up.weight": "ffn.up.weight",
    "ffn_down.weight": "ffn.down.weight",
}
ROTARY = (".attn_q.weight", ".attn_k.weight")


def tensor_names(shape):
    """(name in GGUF, name in recipe.model.Transformer) of every tensor."""
    yield "token_embd.weight", "embedding"
    for i in range(shape.layers):
        for name, own_name in BLOCK_TENSORS.items():
            yield f"blk.{i}.{name}", f"blocks.{i}.{own_name}"
    yield "output_norm.weight", "norm.weight"


def interleave(weight, head):
    """Rows of each head from rotary pairs (i, i + half) to (2i, 2i + 1)."""
    rows, width = weight.shape
    return weight.reshape(rows // head, 2, head // 2, width).transpose(1, 2).reshape(rows, width)


def separate(weight, head):
    """The inverse of interleave."""
    rows, width = weight.shape
    return weight.reshape(rows // head, head // 2, 2, width).transpose(1, 2).reshape(rows, width)


def read_model(path, pieces, shape):
    """State dict of recipe.model.Transformer(shape) from a file that write_model wrote. Errors: ValueError."""
    reader = gguf.GGUFReader(path)
    found = reader.fields["tokenizer.ggml.tokens"].contents()[len(SPECIAL) + BYTE_COUNT :]
    if found != [p.replace(" ", SPACE) for p in pieces]:
        raise ValueError(f"{path}: its vocabulary is not the one given")
    stored = {t.name: torch.from_numpy(np.array(gguf.dequantize(t.data, t.tensor_type))) for t in reader.tensors}
    state = Transformer(shape).state_dict()
    for name, own_name in tensor_names(shape):
        tensor = stored.get(name)
        if tensor is None or tensor.shape != state[own_name].shape:
            found = None if tensor is None else list(tensor.shape)
            raise ValueError(f"{path}: {name}: expected {list(state[own_name].shape)}, found {found}")
        state[own_name] = separate(tensor, shape.head) if name.endswith(ROTARY) else tensor
    return state


def write_vocabulary(path, pieces):
    """The smallest model that has this vocabulary: `tacit tokenize` opens whole models only."""
    shape = Shape(vocabulary_size(pieces), width=32, layers=1, heads=1, kv_heads=1, feed_forward=32)
    card = {"name": "vocabulary", "license": LICENSE, "description": "A vocabulary; the weights are random"}
    write_model(path, pieces, shape, Transformer(shape).state_dict(), card)


def write_model(path, pieces, shape, state, card):
    """`card`: name, license and description that go into general.*"""
    if shape.vocabulary != vocabulary_size(pieces):
        raise ValueError(f"the checkpoint has {shape.vocabulary} pieces, the vocabulary {vocabulary_size(pieces)}")
    writer = gguf.GGUFWriter(path, "llama")
    writer.add_name(card["name"])
    writer.add_license(card["license"])
    writer.add_description(card["description"])
    add_shape(writer, shape)
    add_vocabulary(writer, pieces)
    for name, own_name in tensor_names(shape):
        tensor = interleave(state[own_name], shape.head) if name.endswith(ROTARY) else state[own_name]
        array = tensor.detach().float().contiguous().numpy()
        if array.ndim == 1:
            writer.add_tensor(name, array)
        else:
            kind = gguf.GGMLQuantizationType.Q8_0
            writer.add_tensor(name, gguf.quants.quantize(array, kind), raw_dtype=kind)
    finish(writer)


def finish(writer):
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def load_pieces(path):
    if not path.exists():
        sys.exit(f"export: {path}: no such file; run recipe.tokenizer first")
    return json.loads(path.read_text(encoding="utf-8"))


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("vocabulary", type=pathlib.Path, help="JSON list of recipe.tokenizer")
    parser.add_argument(
        "--checkpoint", type=pathlib.Path, help="of recipe.train; without it only the vocabulary is written"
    )
    parser.add_argument("--name", default="tacit-small", help="general.name of the model")
    parser.add_argument("--out", type=pathlib.Path, required=True)
    arguments = parser.parse_args()
    pieces = load_pieces(arguments.vocabulary)
    if arguments.checkpoint is None:
        write_vocabulary(arguments.out, pieces)
        return
    if not arguments.checkpoint.exists():
        sys.exit(f"export: {arguments.checkpoint}: no such file; run recipe.train first")
    saved = torch.load(arguments.checkpoint, map_location="cpu", weights_only=True)
    card = {
        "name": arguments.name,
        "license": LICENSE,
        "description": "Small model of text by language models, for Tacit",
    }
    write_model(arguments.out, pieces, Shape(**saved["shape"]), saved["model"], card)


if __name__ == "__main__":
    main()
