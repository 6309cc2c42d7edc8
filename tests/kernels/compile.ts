import type { KernelText } from "./collect.ts";

/**
 * Compiles kernels on a device and makes their pipelines. A kernel that loads from more textures than the device has is
 * compiled alone.
 *
 * @returns What is wrong: the kernel, the line, the compiler's words, the text of the line.
 */
export async function compileKernels(device: GPUDevice, kernels: Iterable<KernelText>): Promise<string[]> {
  const wrong = await Promise.all(Array.from(kernels, (kernel) => compileKernel(device, kernel)));
  return wrong.filter((found) => found !== undefined);
}

async function compileKernel(device: GPUDevice, { name, text, entries }: KernelText): Promise<string | undefined> {
  device.pushErrorScope("validation");
  const module = device.createShaderModule({ label: name, code: text });
  const textures = entries.filter(({ storageTexture }) => storageTexture).length;
  if (textures <= device.limits.maxStorageTexturesPerShaderStage) {
    const layout = device.createPipelineLayout({
      bindGroupLayouts: [device.createBindGroupLayout({ label: name, entries: [...entries] })],
    });
    device.createComputePipeline({ label: name, layout, compute: { module, entryPoint: "main" } });
  }
  const error = await device.popErrorScope();
  if (!error) return undefined;
  const { messages } = await module.getCompilationInfo();
  const lines = text.split("\n");
  const said = messages.filter(({ type }) => type === "error").map(({ lineNum, message }) =>
    `line ${lineNum}: ${firstLine(message)} | ${lines[lineNum - 1]?.trim()}`
  );
  return `${name}: ${said.length ? said.join("; ") : firstLine(error.message)}`;
}

function firstLine(message: string): string {
  return message.split("\n", 1)[0];
}
