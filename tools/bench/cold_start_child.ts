/**
 * One Evoformer block, forward, in a process that has compiled nothing before; prints the milliseconds from the block's
 * first kernel until its output has been read, and the CPU time of the whole process: `cold_start_child.ts N_SEQ N_RES`.
 *
 * @module
 */
import process from "node:process";
import { ensureAdapter } from "../platform/driver.ts";
import { openDevice } from "../platform/open_device.ts";
import { EVOFORMER } from "./workloads/evoformer.ts";

const [nSeq, nRes] = Deno.args.map(Number);
const { adapter } = await ensureAdapter();
const device = await openDevice(adapter);
using scope = device.scope("coldStart");
const block = EVOFORMER.open(device, { nSeq, nRes });
const start = performance.now();
for (const output of block.forward()) await output.read();
const firstMs = performance.now() - start;
const { user, system } = process.cpuUsage();
console.log(JSON.stringify({ firstMs, cpuMs: (user + system) / 1e3 }));
void scope;
Deno.exit(0);
