"""A training step of a stack of Evoformer blocks of any width in PyTorch, timed, as JSON lines.

  torch_evoformer_step.py KIT --sizes c_m=64,c_z=48,c_msa=16,... --blocks 6 --n-seq 16 --n-res 64 --device cpu --threads 2

KIT is the folder of torch_peer.py, whose blocks and hashes are used.
"""
import argparse
import sys

import torch

sys.dont_write_bytecode = True  # the kit may not be ours to write to
sys.path.insert(0, sys.argv[1])
import torch_peer as peer  # noqa: E402
from torch_steps import report  # noqa: E402

parser = argparse.ArgumentParser()
parser.add_argument("kit")
parser.add_argument("--sizes", required=True)
for name, default in [("blocks", 6), ("n-seq", 16), ("n-res", 64), ("threads", 2), ("repeats", 5)]:
    parser.add_argument(f"--{name}", type=int, default=default)
parser.add_argument("--learning-rate", type=float, default=1e-3)
parser.add_argument("--device", default="cpu")
args = parser.parse_args()
torch.set_num_threads(args.threads)
c = {name: int(value) for name, value in (pair.split("=") for pair in args.sizes.split(","))}
kind = "sdpa" if hasattr(torch.nn.functional, "scaled_dot_product_attention") else "naive"
model = peer.fill(peer.Evoformer(c, args.blocks, kind)).to(args.device)
m = peer.hashed("m", (args.n_seq, args.n_res, c["c_m"])).to(args.device)
z = peer.hashed("z", (args.n_res, args.n_res, c["c_z"])).to(args.device)
optimizer = torch.optim.Adam(model.parameters(), lr=args.learning_rate, eps=1e-6)


def loss_of():
    return sum(x.square().mean() for x in model(m, z))


sizes = {"n_seq": args.n_seq, "n_res": args.n_res, "blocks": args.blocks}
report(loss_of, optimizer, args, "evoformer", sizes)
