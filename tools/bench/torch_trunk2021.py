"""A training step of the trunk of 2021 in PyTorch's plain operations, timed, as JSON lines.

  torch_trunk2021.py KIT --n-res 128 --n-seq 5 --columns 64 --threads 2 --device cpu --repeats 3

KIT is the folder of torch_peer.py, whose hash and checksum are used. Parameters have the names of a state dict.
"""
import argparse
import math
import sys

import torch
import torch.nn.functional as F

sys.dont_write_bytecode = True  # the kit may not be ours to write to
sys.path.insert(0, sys.argv[1])
import torch_peer as peer  # noqa: E402
from torch_steps import report  # noqa: E402

parser = argparse.ArgumentParser()
parser.add_argument("kit")
for name, default in [("n-res", 128), ("n-seq", 5), ("columns", 64), ("dim", 256), ("depth", 2), ("heads", 8),
                      ("dim-head", 64), ("threads", 2), ("repeats", 3)]:
    parser.add_argument(f"--{name}", type=int, default=default)
parser.add_argument("--device", default="cpu")
args = parser.parse_args()
torch.set_num_threads(args.threads)
dim, heads, inner, bins = args.dim, args.heads, args.heads * args.dim_head, 37
P = {}


def make(name, *shape):
    if len(shape) > 1:
        value = peer.hashed(name, shape, 1 / math.sqrt(shape[1]))
    elif "norm" in name and name.endswith("weight"):
        value = peer.hashed(name, shape, 0.1, 1.0)
    else:
        value = peer.hashed(name, shape, 0.1)
    P[name] = value.to(args.device).requires_grad_()


def make_affine(name, *shape):
    make(f"{name}.weight", *shape)
    make(f"{name}.bias", shape[0])


def make_attention(name):
    make(f"{name}.to_q.weight", inner, dim)
    make(f"{name}.to_kv.weight", 2 * inner, dim)
    make_affine(f"{name}.to_out", dim, inner)


def make_block(name, attentions, cross):
    for part in (0, 2):
        for attention in attentions if part == 0 else [""]:
            make_attention(f"{name}.{part}.fn{attention}")
        make_affine(f"{name}.{part}.norm", dim)
        if cross:
            make_affine(f"{name}.{part}.norm_context", dim)
    make_affine(f"{name}.1.fn.net.0", 8 * dim, dim)
    make_affine(f"{name}.1.fn.net.3", dim, 4 * dim)
    make_affine(f"{name}.1.norm", dim)


make("token_emb.weight", 21, dim)
for table in ("pos_emb", "pos_emb_ax", "msa_pos_emb"):
    make(f"{table}.weight", 2048, dim)
make("msa_num_pos_emb.weight", 20, dim)
for layer in range(args.depth):
    make_block(f"net.blocks.{2 * layer}", [".attn_width", ".attn_height"], False)
    make_block(f"net.blocks.{2 * layer + 1}", [""], True)
make_affine("to_distogram_logits.0", dim)
make_affine("to_distogram_logits.1", bins, dim)


def norm(name, x):
    return F.layer_norm(x, (dim,), P[f"{name}.weight"], P[f"{name}.bias"])


def attend(name, x, context=None):
    context = x if context is None else context
    q = F.linear(x, P[f"{name}.to_q.weight"])
    k, v = F.linear(context, P[f"{name}.to_kv.weight"]).chunk(2, dim=-1)
    q, k, v = (t.view(*t.shape[:2], heads, -1).transpose(1, 2) for t in (q, k, v))
    weights = (q @ k.transpose(-1, -2) * args.dim_head ** -0.5).softmax(dim=-1)
    out = (weights @ v).transpose(1, 2).reshape(*x.shape[:2], inner)
    return F.linear(out, P[f"{name}.to_out.weight"], P[f"{name}.to_out.bias"])


def axial(name, x):
    rows = attend(f"{name}.fn.attn_height", x[0])
    columns = attend(f"{name}.fn.attn_width", x[0].transpose(0, 1)).transpose(0, 1)
    return (rows + columns)[None]


def feed_forward(name, x):
    a, gate = F.linear(norm(f"{name}.norm", x), P[f"{name}.fn.net.0.weight"], P[f"{name}.fn.net.0.bias"]).chunk(2, -1)
    return F.linear(a * F.gelu(gate), P[f"{name}.fn.net.3.weight"], P[f"{name}.fn.net.3.bias"])


def cross(name, x, y):
    return attend(f"{name}.fn", norm(f"{name}.norm", x), norm(f"{name}.norm_context", y))


def model(seq, msa):
    n, (_, rows, columns) = seq.shape[1], msa.shape
    token = P["token_emb.weight"]
    x = (token[seq] + P["pos_emb.weight"][:n])[:, :, None] + (token[seq] + P["pos_emb_ax.weight"][:n])[:, None]
    m = token[msa] + P["msa_pos_emb.weight"][:columns] + P["msa_num_pos_emb.weight"][:rows, None]
    flat, m = (1, n * n, dim), m.view(1, rows * columns, dim)
    for layer in range(args.depth):
        own, other = f"net.blocks.{2 * layer}", f"net.blocks.{2 * layer + 1}"
        x = x + axial(f"{own}.0", norm(f"{own}.0.norm", x))
        m = m + attend(f"{own}.2.fn", norm(f"{own}.2.norm", m))
        pairs = x.view(flat)
        pairs = pairs + cross(f"{other}.0", pairs, m)
        m = m + cross(f"{other}.2", m, pairs)
        x = (pairs + feed_forward(f"{own}.1", pairs)).view(1, n, n, dim)
        m = m + feed_forward(f"{other}.1", m)
    x = norm("to_distogram_logits.0", (x + x.transpose(1, 2)) / 2)
    return F.linear(x, P["to_distogram_logits.1.weight"], P["to_distogram_logits.1.bias"])


def unit(name, shape):
    """Between 0 and 1."""
    return peer.hashed(name, shape, 1 / math.sqrt(12), 0.5).double()


seq = (unit("seq", (1, args.n_res)) * 21).floor().long().clamp(max=20).to(args.device)
msa = (unit("msa", (1, args.n_seq, args.columns)) * 21).floor().long().clamp(max=20).to(args.device)
edges = torch.linspace(2, 20, bins)[:-1]
classes = torch.bucketize((unit("distances", (1, args.n_res, args.n_res)) * 25).float(), edges).to(args.device)
optimizer = torch.optim.Adam(P.values(), lr=3e-4)


def loss_of():
    return F.cross_entropy(model(seq, msa).permute(0, 3, 1, 2), classes)


sizes = {"n_res": args.n_res, "n_seq": args.n_seq, "columns": args.columns, "dim": dim, "depth": args.depth}
report(loss_of, optimizer, args, "trunk2021", sizes)
