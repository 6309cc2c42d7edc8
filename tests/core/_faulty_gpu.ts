/** A GPU device with faults on demand, standing before a real one. */

/** What is to go wrong, and what was seen. */
export interface Faults {
  /** Bytes of tensors' buffers that there is memory for. */
  memoryBytes: number;
  /** Buffers that were created and not destroyed: those for tensors, and those for reading. */
  readonly alive: { tensors: number; staging: number };
  /** Buffers created so far. */
  created: number;
  /** Bytes written between two submits: the most there were. */
  mostWritten: number;
}

/** A device that behaves like another, but for the faults; both objects may be changed while it works. */
export function faultyGpu(gpu: GPUDevice): { gpu: GPUDevice; faults: Faults } {
  const faults: Faults = {
    memoryBytes: Infinity,
    alive: { tensors: 0, staging: 0 },
    created: 0,
    mostWritten: 0,
  };
  const scopes: { filter: GPUErrorFilter; error: GPUError | null }[] = [];
  let taken = 0, written = 0;

  const createBuffer = (descriptor: GPUBufferDescriptor): GPUBuffer => {
    const { size, usage } = descriptor;
    const kind = usage & GPUBufferUsage.MAP_READ ? "staging" : "tensors";
    if (kind === "tensors" && taken + size > faults.memoryBytes) {
      const scope = scopes.findLast(({ filter }) => filter === "out-of-memory");
      scope!.error ??= new GPUOutOfMemoryError("not enough memory left");
      return gpu.createBuffer({ size, usage: GPUBufferUsage.MAP_READ | GPUBufferUsage.MAP_WRITE }); // an invalid one
    }
    const buffer = gpu.createBuffer(descriptor);
    const destroy = buffer.destroy.bind(buffer);
    faults.created++;
    faults.alive[kind]++;
    if (kind === "tensors") taken += size;
    buffer.destroy = () => {
      faults.alive[kind]--;
      if (kind === "tensors") taken -= size;
      destroy();
    };
    return buffer;
  };

  const queue = overridden(gpu.queue, {
    writeBuffer: (buffer: GPUBuffer, offset: number, data: ArrayBuffer, from?: number, count?: number) => {
      const each = ArrayBuffer.isView(data) ? (data as unknown as Float32Array).BYTES_PER_ELEMENT : 1;
      written += each * (count ?? 0);
      faults.mostWritten = Math.max(faults.mostWritten, written);
      gpu.queue.writeBuffer(buffer, offset, data, from, count);
    },
    submit: (commands: GPUCommandBuffer[]) => {
      written = 0;
      gpu.queue.submit(commands);
    },
  });

  const faulty = overridden(gpu, {
    createBuffer,
    queue,
    pushErrorScope: (filter: GPUErrorFilter) => {
      scopes.push({ filter, error: null });
      gpu.pushErrorScope(filter);
    },
    popErrorScope: async () => {
      const scope = scopes.pop();
      const error = await gpu.popErrorScope();
      return scope?.error ?? error;
    },
  });
  return { gpu: faulty, faults };
}

function overridden<T extends object>(target: T, overrides: Readonly<Record<string, unknown>>): T {
  return new Proxy(target, {
    get(_, name) {
      if (name in overrides) return overrides[name as string];
      const value = Reflect.get(target, name, target);
      return typeof value === "function" ? value.bind(target) : value;
    },
  });
}
