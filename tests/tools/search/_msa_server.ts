/** A server that speaks the protocol of ColabFold's, and misbehaves on request. */
import { gzipSync } from "node:zlib";

/** One step of a conversation: what the server answers, whatever it is asked. */
export type Answer = (request: Request) => Response | Promise<Response>;

/** A request as the server saw it. */
export interface Seen {
  readonly method: string;
  readonly path: string;
  readonly agent: string | null;
  readonly body: URLSearchParams;
}

/** Starts a server that gives the answers one after the other, and the last one from then on. */
export function serve(
  answers: readonly Answer[],
): { url: string; seen: Seen[]; [Symbol.asyncDispose](): Promise<void> } {
  const seen: Seen[] = [];
  const server = Deno.serve({ port: 0, hostname: "127.0.0.1", onListen() {} }, async (request) => {
    const body = new URLSearchParams(await request.clone().text());
    const { pathname } = new URL(request.url);
    const agent = request.headers.get("User-Agent");
    const answer = answers[Math.min(seen.length, answers.length - 1)];
    seen.push({ method: request.method, path: pathname, agent, body });
    return await answer(request);
  });
  return {
    url: `http://127.0.0.1:${server.addr.port}`,
    seen,
    [Symbol.asyncDispose]: () => server.shutdown(),
  };
}

/** The state of a ticket. */
export function ticket(status: string, id: string | null = "T/1"): Answer {
  return () => Response.json({ id, status });
}

/** An archive. */
export function archive(bytes: Uint8Array): Answer {
  return () => new Response(new Uint8Array(bytes), { headers: { "Content-Type": "application/gzip" } });
}

/** One entry of a tar archive. */
export interface TarEntry {
  readonly name: string;
  readonly text: string;
  /** Type of the entry. @default "0", a file */
  readonly kind?: string;
}

/** A tar archive. */
export function tar(entries: readonly TarEntry[]): Uint8Array {
  const blocks: Uint8Array[] = [];
  for (const { name, text, kind = "0" } of entries) {
    const data = new TextEncoder().encode(text);
    const header = new Uint8Array(512);
    const put = (at: number, value: string) => header.set(new TextEncoder().encode(value), at);
    put(0, name);
    put(100, "0000644\0");
    put(124, `${data.length.toString(8).padStart(11, "0")}\0`);
    put(148, "        ");
    put(156, kind);
    put(257, "ustar\x0000");
    put(148, `${header.reduce((a, b) => a + b).toString(8).padStart(6, "0")}\0 `);
    const padded = new Uint8Array(Math.ceil(data.length / 512) * 512);
    padded.set(data);
    blocks.push(header, padded);
  }
  blocks.push(new Uint8Array(1024));
  return new Uint8Array(blocks.flatMap((block) => [...block]));
}

/** The same, packed. */
export function tarGz(entries: readonly TarEntry[]): Uint8Array {
  return new Uint8Array(gzipSync(tar(entries)));
}
