import { join } from "node:path";

/**
 * The folder where denofold keeps what it can fetch or compute again: `DENOFOLD_CACHE` if that is set, else the user's
 * cache folder (`$XDG_CACHE_HOME` or `~/.cache`, `~/Library/Caches`, `%LOCALAPPDATA%`). It need not exist yet.
 */
export function cacheFolder(): string {
  const own = Deno.env.get("DENOFOLD_CACHE");
  if (own) return own;
  return join(userCacheFolder(), "denofold");
}

function userCacheFolder(): string {
  const home = Deno.env.get("HOME") || Deno.env.get("USERPROFILE");
  if (Deno.build.os === "windows") {
    const local = Deno.env.get("LOCALAPPDATA");
    if (local) return local;
  } else if (Deno.build.os === "darwin") {
    if (home) return join(home, "Library", "Caches");
  } else {
    const xdg = Deno.env.get("XDG_CACHE_HOME");
    if (xdg?.startsWith("/")) return xdg;
  }
  if (home) return join(home, ".cache");
  return Deno.env.get("TMPDIR") || Deno.env.get("TEMP") || "/tmp";
}
