import { copyToMirror, mirrorTexture, oddRows, texelBytes } from "./_mirrors.ts";
import type { Pipeline } from "./_pipelines.ts";
import { compare, type Probe, type ProbeOutcome } from "./probe.ts";
import { type Dtype, ELEMENT_BYTES, elementsOf } from "./tensor.ts";
import { uniformBytes, writeUniforms } from "./_uniforms.ts";
import { type BindingType, isWritten, type Kernel, TEXTURE_WIDTH } from "./wgsl.ts";

/** Around the numbers that are read: NaN, as f32 and as two f16. */
const POISON = 0x7fc07e00;
/** What is found where nothing was written: a large number, as f32 and as two f16. */
const UNTOUCHED = 0x7149f2ca;

/** Bytes that a kernel sees beyond those it is to use: WebGPU moves what lies beyond a binding to its end, where it may do no harm. */
const BEYOND = 64;

const ALIGNMENT = 256;
const align = (bytes: number) => Math.ceil(bytes / ALIGNMENT) * ALIGNMENT;

/** Where a binding of one probe lies in the buffer that is read or in that which is written. */
interface Place {
  readonly name: string;
  readonly dtype: Dtype;
  readonly written: boolean;
  /** Served from a texture. */
  readonly texture: boolean;
  /** First byte, bytes with those that fill the last vec4 where vec4s are bound, and bytes that the kernel sees. */
  readonly first: number;
  readonly used: number;
  readonly bytes: number;
  readonly elements: number;
}

/** One probe, laid out. */
interface Trial {
  readonly probe: Probe;
  readonly places: readonly Place[];
  readonly expected: Readonly<Record<string, ArrayLike<number>>>;
}

/** Runs kernels' probes, apart from what a device has recorded: nothing is taken from its pools, nothing is counted. */
export class Prober {
  readonly #gpu: GPUDevice;
  /** Kept between probes; taken while one is running. */
  #staging: GPUBuffer | null = null;
  #runs = 0;

  constructor(gpu: GPUDevice) {
    this.#gpu = gpu;
  }

  /**
   * Runs all probes of a kernel on one of its pipelines.
   *
   * @param halves Names of the bindings that are tensors of 16-bit floats.
   * @param block Whether to hold up the thread until the outcome is there, where WebGPU lets a buffer be read without
   * waiting (Deno's does).
   * @returns The outcome where that was done, else a promise of it. Null where the device was lost meanwhile.
   */
  run(
    { pipeline, layout, loads }: Pipeline,
    kernel: Kernel,
    halves: readonly string[],
    probes: readonly Probe[],
    block = true,
  ): ProbeOutcome | Promise<ProbeOutcome | null> {
    const gpu = this.#gpu;
    const sizes = { read: ALIGNMENT, written: ALIGNMENT };
    const trials = probes.map((probe) => layOut(kernel, halves, probe, loads === "textures", sizes));
    const written = sizes.written;
    // A row of poison lies behind everything that is read: textures are filled with it first.
    const poison = align(sizes.read);
    const inputs = new Uint32Array((poison + 16 * TEXTURE_WIDTH) / 4).fill(POISON);
    const outputs = new Uint32Array(written / 4).fill(UNTOUCHED);
    const run = outputs[0] = ++this.#runs; // nothing is copied where a pipeline is invalid: the last outcome would be seen
    for (const { probe, places } of trials) {
      for (const { name, dtype, first, written } of places) {
        const numbers = probe.before[name];
        if (!numbers) continue;
        const bytes = written ? outputs : inputs;
        const data = elementsOf(dtype, numbers);
        new Uint8Array(bytes.buffer).set(new Uint8Array(data.buffer, data.byteOffset, data.byteLength), first);
      }
    }
    const STORAGE = GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_DST | GPUBufferUsage.COPY_SRC;
    const source = gpu.createBuffer({ label: "probe", size: inputs.byteLength, usage: STORAGE });
    const target = gpu.createBuffer({ label: "probe", size: written, usage: STORAGE });
    gpu.queue.writeBuffer(source, 0, inputs);
    gpu.queue.writeBuffer(target, 0, outputs);
    const doomed: (GPUBuffer | GPUTexture)[] = [source, target];
    const encoder = gpu.createCommandEncoder({ label: "probe" });
    const groups = trials.map(({ probe, places }) => {
      const entries: GPUBindGroupEntry[] = places.map((place, binding) => {
        const { dtype, written, texture: textured, first, bytes } = place;
        if (!textured) return { binding, resource: { buffer: written ? target : source, offset: first, size: bytes } };
        const half = dtype === "f16";
        const rows = oddRows(bytes, half);
        const texture = mirrorTexture(gpu, rows, half);
        const bytesPerRow = TEXTURE_WIDTH * texelBytes(half);
        for (let row = 0; row < rows; row++) {
          const from = { buffer: source, bytesPerRow, offset: poison };
          encoder.copyBufferToTexture(from, { texture, origin: [0, row] }, [TEXTURE_WIDTH, 1]);
        }
        copyToMirror(encoder, { texture, half, first, bytes }, source);
        doomed.push(texture);
        return { binding, resource: texture.createView() };
      });
      if (kernel.uniforms.length) {
        const size = uniformBytes(kernel);
        const buffer = gpu.createBuffer({
          label: "probe",
          size,
          usage: GPUBufferUsage.UNIFORM | GPUBufferUsage.COPY_DST,
        });
        const values = new ArrayBuffer(size);
        writeUniforms(kernel, probe.uniforms ?? {}, new DataView(values), 0);
        gpu.queue.writeBuffer(buffer, 0, values);
        doomed.push(buffer);
        entries.push({ binding: entries.length, resource: { buffer } });
      }
      return gpu.createBindGroup({ label: "probe", layout, entries });
    });
    const pass = encoder.beginComputePass({ label: "probe" });
    pass.setPipeline(pipeline);
    for (const [i, group] of groups.entries()) {
      pass.setBindGroup(0, group);
      pass.dispatchWorkgroups(...trials[i].probe.grid);
    }
    pass.end();
    const staging = this.#takeStaging(written);
    encoder.copyBufferToBuffer(target, 0, staging, 0, written);
    gpu.queue.submit([encoder.finish()]);
    for (const each of doomed) each.destroy();
    const mapped = staging.mapAsync(GPUMapMode.READ).then(() => true, () => false);
    const got = block && this.#take(staging, written);
    if (got) return judged(trials, got, run);
    return mapped.then((ok) => {
      const got = ok ? this.#take(staging, written) : null;
      return got && judged(trials, got, run);
    });
  }

  /** What a staging buffer holds; null where it is not mapped yet. */
  #take(staging: GPUBuffer, bytes: number): Uint32Array<ArrayBuffer> | null {
    let range: ArrayBuffer;
    try {
      range = staging.getMappedRange(0, bytes);
    } catch {
      return null;
    }
    const words = new Uint32Array(range.slice(0));
    staging.unmap();
    this.#staging ??= staging;
    return words;
  }

  #takeStaging(bytes: number): GPUBuffer {
    const kept = this.#staging;
    this.#staging = null;
    if (kept && kept.size >= bytes) return kept;
    kept?.destroy();
    // Deno takes the range of a buffer without waiting, but panics unless the buffer was mapped before.
    const staging = this.#gpu.createBuffer({
      label: "probe",
      size: Math.max(2 ** 16, 2 ** Math.ceil(Math.log2(bytes))),
      usage: GPUBufferUsage.MAP_READ | GPUBufferUsage.COPY_DST,
      mappedAtCreation: true,
    });
    staging.unmap();
    return staging;
  }
}

/** Gives every binding of a probe its place, with room around it, and computes what is expected of it. */
function layOut(
  kernel: Kernel,
  halves: readonly string[],
  probe: Probe,
  textures: boolean,
  sizes: { read: number; written: number },
): Trial {
  const dtypes = kernel.bindings.map(([name, type]) => dtypeOf(type, halves.includes(name)));
  const rounded = Object.fromEntries(
    Object.entries(probe.before).map(([name, numbers]) => {
      const dtype = dtypes[kernel.bindings.findIndex(([binding]) => binding === name)];
      return [name, Float64Array.from(elementsOf(dtype, numbers))];
    }),
  );
  const expected = probe.after(rounded);
  const places = kernel.bindings.map(([name, type], i): Place => {
    const written = isWritten(type);
    const elements = (written ? expected : probe.before)[name]?.length;
    if (!elements) throw new TypeError(`The probe of kernel ${kernel.name} does not say what ${name} holds`);
    const dtype = dtypes[i];
    const unit = type.endsWith("vec4f") ? 16 : ELEMENT_BYTES[dtype];
    const used = Math.ceil(ELEMENT_BYTES[dtype] * elements / unit) * unit;
    const side = written ? "written" : "read";
    const first = sizes[side];
    sizes[side] = align(first + used + BEYOND + ALIGNMENT);
    const texture = textures && type === "load vec4f";
    return { name, dtype, written, texture, first, used, bytes: used + BEYOND, elements };
  });
  return { probe, places, expected };
}

function dtypeOf(type: BindingType, half: boolean): Dtype {
  if (half) return "f16";
  const [, element] = type.split(" ");
  return element === "u32" || element === "i32" ? element : "f32";
}

/** Compares all that was written, and looks whether anything else was. */
function judged(trials: readonly Trial[], got: Uint32Array<ArrayBuffer>, run: number): ProbeOutcome {
  let largestError = 0, end = 4;
  const outcome = (reason: string): ProbeOutcome => ({ right: reason === "", largestError, reason });
  if (got[0] !== run) {
    largestError = Infinity;
    return outcome("it does not run");
  }
  for (const { probe, places, expected } of trials) {
    for (const { name, dtype, written, first, used, elements } of places) {
      if (!written) continue;
      const data = elementsOf(dtype, got.buffer.slice(first, first + ELEMENT_BYTES[dtype] * elements));
      const tolerance = probe.tolerance ?? (dtype === "f16" ? 2e-3 : 1e-4);
      const found = compare(name, data, expected[name], tolerance);
      largestError = Math.max(largestError, found.largestError);
      if (!found.right) return outcome(found.reason);
      for (let word = end / 4; word < first / 4; word++) {
        if (got[word] !== UNTOUCHED) return outcome(`something was written before the first element of ${name}`);
      }
      end = first + used;
    }
  }
  for (let word = end / 4; word < got.length; word++) {
    if (got[word] !== UNTOUCHED) return outcome("something was written beyond the last element");
  }
  return outcome("");
}
