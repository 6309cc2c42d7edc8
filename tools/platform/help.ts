/** What to install so that there is an adapter, for the operating system at hand. */
export function installHelp(): string {
  switch (Deno.build.os) {
    case "darwin":
      return "On macOS the GPU is reached through Metal, which needs macOS 11 or newer and nothing to install.";
    case "windows":
      return "On Windows install the current graphics driver from NVIDIA, AMD or Intel (DirectX 12).";
    default:
      return "Install a Vulkan driver. " +
        "NVIDIA: the proprietary driver with its Vulkan part and the loader (Debian: nvidia-vulkan-icd libvulkan1; " +
        "Ubuntu: libnvidia-gl-VERSION libvulkan1; Fedora: xorg-x11-drv-nvidia vulkan-loader; " +
        "containers: NVIDIA_DRIVER_CAPABILITIES=all). " +
        "AMD, Intel and software: mesa-vulkan-drivers (Debian, Ubuntu: apt install mesa-vulkan-drivers; " +
        "Fedora: dnf install mesa-vulkan-drivers; Arch: vulkan-radeon, vulkan-intel or vulkan-swrast).";
  }
}

/** What keeps a GPU that the machine seems to have from being used; call it only if none was found. */
export function unusedGpuHint(): string | undefined {
  if (Deno.build.os !== "linux") return undefined;
  if (exists("/proc/driver/nvidia/version") || exists("/dev/nvidia0")) {
    return "There is an NVIDIA GPU here, but not the Vulkan part of its driver: install libvulkan1 with nvidia-vulkan-icd " +
      "(Debian) or libnvidia-gl-VERSION (Ubuntu), or start the container with NVIDIA_DRIVER_CAPABILITIES=all.";
  }
  if (exists("/dev/dri/renderD128")) {
    try {
      Deno.openSync("/dev/dri/renderD128", { read: true, write: true }).close();
    } catch {
      return "There is a GPU at /dev/dri/renderD128 that this user may not open: add the user to the group render " +
        "(sudo usermod -aG render $USER) and log in again.";
    }
    return "There may be a GPU at /dev/dri/renderD128 without a Vulkan driver: install mesa-vulkan-drivers (AMD, Intel).";
  }
  if (exists("/dev/dxg")) {
    return "This is WSL: its GPU can be reached from Linux only with Mesa's dzn driver; run denofold in Windows to use it.";
  }
  return undefined;
}

function exists(path: string): boolean {
  try {
    Deno.statSync(path);
    return true;
  } catch {
    return false;
  }
}
