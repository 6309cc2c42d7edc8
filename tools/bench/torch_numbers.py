"""What PyTorch computes for the hashed inputs of our benchmarks, as JSON lines.

  torch_numbers.py KIT matmul MxNxK...   checksums of C[M,N] = A[M,K] B[K,N]
  torch_numbers.py KIT tiny-train        losses of the first two training steps, batch 4, default sizes

KIT is the folder of torch_peer.py, whose hash, checksum and models are used.
"""
import json
import math
import sys

import torch

kit, workload, *shapes = sys.argv[1:]
sys.path.insert(0, kit)
sys.dont_write_bytecode = True  # the kit may not be ours to write to
import torch_peer as peer  # noqa: E402


def unit(name, shape):
    """Between 0 and 1."""
    return peer.hashed(name, shape, 1 / math.sqrt(12), 0.5)


def tiny_train(batch=4, seqs=16, length=64, blocks=4):
    model = peer.fill(peer.TinyOpenFold(peer.TINY, blocks))
    vocab, features = peer.TINY["vocab"], peer.TINY["features"]
    tokens = (unit("msa_tokens", (batch, seqs, length)).double() * vocab).floor().long().clamp(max=vocab - 1)
    pair = peer.hashed("pair_features", (batch, length, length, features))
    target = peer.hashed("target_distances", (batch, length, length, 1), 20 / math.sqrt(12), 10)
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-4, weight_decay=0.01)
    losses = []
    for _ in range(2):
        optimizer.zero_grad(set_to_none=True)
        loss = model(tokens, pair, target)[0]
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses


if workload == "tiny-train":
    print(json.dumps({"workload": workload, "values": tiny_train()}))
else:
    for shape in shapes:
        m, n, k = map(int, shape.split("x"))
        c = peer.hashed("a", (m, k)) @ peer.hashed("b", (k, n))
        print(json.dumps({"workload": workload, "shape": shape, "values": peer.checksum(c)}))
