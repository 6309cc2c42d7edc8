"""Times a step of training, for the scripts beside it."""
import json
import statistics
import time

import torch


def report(loss_of, optimizer, args, workload, sizes):
    """Makes two steps, whose losses are told, then times `args.repeats` more and prints the record as a JSON line."""

    def step():
        optimizer.zero_grad(set_to_none=True)
        loss = loss_of()
        loss.backward()
        optimizer.step()
        return loss.item()

    losses = [step(), step()]
    times, processor = [], []
    for _ in range(args.repeats):
        start, busy = time.perf_counter(), time.process_time()
        step()
        times.append(1e3 * (time.perf_counter() - start))
        processor.append(1e3 * (time.process_time() - busy))
    print(json.dumps({
        "engine": f"torch {torch.__version__}", "device": args.device, "workload": workload, "sizes": sizes,
        "mode": "train step", "ms_min": min(times), "ms_median": statistics.median(times),
        "cpu_ms_min": min(processor), "checksum": losses,
    }))
