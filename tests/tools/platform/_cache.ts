/** Runs with a temporary folder as denofold's cache, in this process and its children. */
export async function withCache(run: (folder: string) => void | Promise<void>): Promise<void> {
  const before = Deno.env.get("DENOFOLD_CACHE");
  const folder = await Deno.makeTempDir();
  Deno.env.set("DENOFOLD_CACHE", folder);
  try {
    await run(folder);
  } finally {
    if (before === undefined) Deno.env.delete("DENOFOLD_CACHE");
    else Deno.env.set("DENOFOLD_CACHE", before);
    await Deno.remove(folder, { recursive: true });
  }
}
