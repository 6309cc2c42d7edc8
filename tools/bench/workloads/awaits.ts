import type { Device } from "../../../core/mod.ts";

/** Counts how often the CPU waits for the device, until disposed of. */
export function countAwaits(device: Device): Disposable & { readonly count: number } {
  const read = device.read, finish = device.finish;
  let count = 0;
  device.read = (tensor) => {
    count++;
    return read.call(device, tensor);
  };
  device.finish = () => {
    count++;
    return finish.call(device);
  };
  return {
    get count() {
      return count;
    },
    [Symbol.dispose]() {
      Object.assign(device, { read, finish });
    },
  };
}
