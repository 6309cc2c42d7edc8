/**
 * A stand-in for WebGPU that takes every command and does nothing: nothing is allocated, compiled or run. It has what
 * the device, its pools and its pipelines call, and no more.
 */
export function dryGpu(): GPUDevice {
  const nothing = () => undefined;
  const pass = standIn<GPUComputePassEncoder>({
    setPipeline: nothing,
    setBindGroup: nothing,
    dispatchWorkgroups: nothing,
    end: nothing,
  });
  const encoder = standIn<GPUCommandEncoder>({
    beginComputePass: () => pass,
    clearBuffer: nothing,
    copyBufferToBuffer: nothing,
    copyBufferToTexture: nothing,
    finish: () => standIn<GPUCommandBuffer>({}),
  });
  return standIn<GPUDevice>({
    lost: new Promise(nothing),
    queue: standIn<GPUQueue>({
      submit: nothing,
      writeBuffer: nothing,
      onSubmittedWorkDone: () => Promise.resolve(undefined),
    }),
    addEventListener: nothing,
    pushErrorScope: nothing,
    popErrorScope: () => Promise.resolve(null),
    createBuffer: ({ size }) => standIn<GPUBuffer>({ size, destroy: nothing }),
    createTexture: () => standIn<GPUTexture>({ createView: () => standIn<GPUTextureView>({}), destroy: nothing }),
    createShaderModule: () => standIn<GPUShaderModule>({}),
    createBindGroupLayout: () => standIn<GPUBindGroupLayout>({}),
    createPipelineLayout: () => standIn<GPUPipelineLayout>({}),
    createComputePipeline: () => standIn<GPUComputePipeline>({}),
    createBindGroup: () => standIn<GPUBindGroup>({}),
    createCommandEncoder: () => encoder,
    destroy: nothing,
  });
}

function standIn<T>(part: Partial<T>): T {
  return part as T;
}
