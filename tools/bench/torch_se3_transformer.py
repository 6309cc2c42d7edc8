"""A training step of an SE(3)-transformer in PyTorch's plain operations, timed, as JSON lines.

  torch_se3_transformer.py KIT --constants FILE --nodes 64 --threads 2 --device cpu --repeats 3

KIT is the folder of torch_peer.py, whose hash is used. FILE is JSON: what raises the degree of spherical harmonics
(`raising`) and makes the basis of every pair of degrees of all harmonics (`basis`), as lists of rows. Parameters have the
names of a state dict. A weight is made for every pair of nodes and of channels, as the published program does.
"""
import argparse
import json
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
parser.add_argument("--constants", required=True)
for name, default in [("nodes", 64), ("dim", 32), ("depth", 2), ("heads", 4), ("dim-head", 16), ("degrees", 3),
                      ("mid", 128), ("threads", 2), ("repeats", 3)]:
    parser.add_argument(f"--{name}", type=int, default=default)
parser.add_argument("--device", default="cpu")
args = parser.parse_args()
torch.set_num_threads(args.threads)
n, dim, heads, inner = args.nodes, args.dim, args.heads, args.heads * args.dim_head
degrees = range(args.degrees)
P = {}


def p(name, *shape):
    """The parameter of a name, made when it is first asked for."""
    if name not in P:
        if len(shape) > 1:
            value = peer.hashed(name, shape, 1 / math.sqrt(shape[1]))
        else:
            value = peer.hashed(name, shape, 0.1, 1.0 if "norm" in name and name.endswith("weight") else 0.0)
        P[name] = value.to(args.device).requires_grad_()
    return P[name]


def affine(name, x, out):
    return F.linear(x, p(f"{name}.weight", out, x.shape[-1]), p(f"{name}.bias", out))


def layer_norm(name, x):
    c = x.shape[-1]
    return F.layer_norm(x, (c,), p(f"{name}.weight", c), p(f"{name}.bias", c))


def linear(name, x, out, given=degrees):
    return {d: x[d] @ p(f"{name}.weights.{d}", x[d].shape[-1], out) for d in given if d in x}


def norm(name, x):
    out = {}
    for d, t in x.items():
        length = t.square().sum(-2, keepdim=True).clamp(min=1e-24).sqrt()
        out[d] = t * F.gelu(length * p(f"{name}.transform.{d}.scale", 1, 1, t.shape[-1])) / length
    return out


with open(args.constants) as file:
    constants = {kind: {name: torch.tensor(rows, dtype=torch.float32, device=args.device) for name, rows in all.items()}
                 for kind, all in json.load(file).items()}
others = torch.tensor([[j for j in range(n) if j != i] for i in range(n)], device=args.device)
feats = peer.hashed("feats", (n, 1, dim)).to(args.device)
coors = 4 * peer.hashed("coors", (n, 3)).to(args.device)


def geometry():
    vectors = (coors[:, None] - coors[others]).view(-1, 3)
    distance = vectors.norm(dim=-1, keepdim=True)
    direction, constant = vectors / distance, 1 / (2 * math.sqrt(math.pi))
    harmonics = [torch.full_like(distance, constant), -math.sqrt(3) * constant * direction]
    for degree in range(2, 2 * args.degrees - 1):
        products = (harmonics[-1][:, :, None] * direction[:, None]).flatten(1)
        harmonics.append(F.linear(products, constants["raising"][str(degree)]))
    every = torch.cat(harmonics, 1)
    return distance, {name: F.linear(every, weight) for name, weight in constants["basis"].items()}


def messages(name, x, out, to, distance, basis):
    """`[N, K, 2 degree + 1, out]` by degree."""
    total = {}
    for source, t in x.items():
        found = t[others].view(-1, *t.shape[1:])  # [E, 2 in + 1, c]
        for d in to:
            f, key = 2 * min(source, d) + 1, f"({source},{d})"
            net = f"{name}.kernel_unary.{key}.rp.net"
            hidden = F.gelu(layer_norm(f"{net}.1", affine(f"{net}.0", distance, args.mid)))
            hidden = F.gelu(layer_norm(f"{net}.4", affine(f"{net}.3", hidden, args.mid)))
            c = t.shape[-1]
            weight = p(f"{net}.6.weight", out * c * f, args.mid).view(out, c, f, -1).transpose(1, 2)
            bias = p(f"{net}.6.bias", out * c * f).view(out, c, f).transpose(1, 2)
            weights = F.linear(hidden, weight.reshape(-1, args.mid), bias.reshape(-1)).view(-1, out, f * c)
            carried = (basis[key].view(len(found), -1, 2 * source + 1) @ found).view(len(found), 2 * d + 1, f * c)
            message = carried @ weights.transpose(1, 2)
            total[d] = total[d] + message if d in total else message
    return {d: t.view(n, n - 1, *t.shape[1:]) for d, t in total.items()}


def added(x, y):
    return {d: x[d] + y[d] if d in x and d in y else x.get(d, y.get(d)) for d in {**x, **y}}


def convolution(name, x, out, to, distance, basis):
    pooled = {d: t.mean(1) for d, t in messages(name, x, out, to, distance, basis).items()}
    return added(pooled, linear(f"{name}.self_interact", x, out, to))


def attention(name, x, distance, basis):
    values = messages(f"{name}.to_v", x, inner, degrees, distance, basis)
    keys = messages(f"{name}.to_k", x, inner, degrees, distance, basis)
    queries = linear(f"{name}.to_q", x, inner)
    own_keys, own_values = linear(f"{name}.to_self_k", x, inner), linear(f"{name}.to_self_v", x, inner)
    out = {}
    for d in degrees:
        k = torch.cat([own_keys[d][:, None], keys[d]], 1).view(n, n, 2 * d + 1, heads, -1)
        v = torch.cat([own_values[d][:, None], values[d]], 1).view(n, n, 2 * d + 1, heads, -1)
        q = queries[d].view(n, 1, 2 * d + 1, heads, -1)
        weights = ((q * k).sum((2, 4)) * args.dim_head ** -0.5).softmax(1)  # [N, S, heads]
        out[d] = (weights[:, :, None, :, None] * v).sum(1).reshape(n, 2 * d + 1, inner)
    return linear(f"{name}.to_out", out, dim)


def feed_forward(name, x):
    hidden = linear(f"{name}.feedforward.project_in", norm(f"{name}.prenorm", x), 4 * dim)
    return added(x, linear(f"{name}.feedforward.project_out", norm(f"{name}.feedforward.nonlin", hidden), dim))


def model():
    distance, basis = geometry()
    x = convolution("conv_in", {0: feats}, dim, degrees, distance, basis)
    for block in range(args.depth):
        name = f"net.blocks.{block}"
        x = added(x, attention(f"{name}.0.attn", norm(f"{name}.0.prenorm", x), distance, basis))
        x = feed_forward(f"{name}.1", x)
    return linear("linear_out", convolution("conv_out", x, dim, range(2), distance, basis), 1, range(2))


def loss_of():
    return sum(t.square().mean() for t in model().values())


with torch.no_grad():
    loss_of()  # makes the parameters
optimizer = torch.optim.Adam(P.values(), lr=1e-3)
sizes = {"nodes": n, "dim": dim, "degrees": args.degrees, "depth": args.depth}
report(loss_of, optimizer, args, "se3-transformer", sizes)
