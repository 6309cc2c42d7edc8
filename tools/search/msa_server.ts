/**
 * Asks a server that speaks the protocol of ColabFold's for alignments. The sequence leaves this machine: nothing here is
 * called unless the user gives a server's address.
 *
 * Source: Mirdita et al. (2022), "ColabFold: making protein folding accessible to all"; the protocol as its public client
 * uses it: `POST ticket/msa`, `GET ticket/ID`, `GET result/download/ID`.
 */
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import config from "../../deno.json" with { type: "json" };
import { type Alignment, makeAlignment } from "../data/alignment.ts";
import { readAlignmentPieces } from "../data/read_alignment.ts";
import { warningsOf } from "../data/remarks.ts";
import { readTar } from "../data/tar.ts";
import { InputError } from "../errors.ts";
import { makeFolder, piecesOf, readFileBytes, unpackMaybeGzip, writeFileAtomic } from "../files.ts";
import { sha256 } from "../sha256.ts";

/** Which databases the server searches, and how: `env` adds environmental sequences, `pair…` pairs rows of chains. */
export type ServerMode =
  | "env"
  | "all"
  | "env-nofilter"
  | "nofilter"
  | "pairgreedy"
  | "pairgreedy-env"
  | "paircomplete"
  | "paircomplete-env";

/** All modes. */
export const SERVER_MODES: readonly ServerMode[] = [
  "env",
  "all",
  "env-nofilter",
  "nofilter",
  "pairgreedy",
  "pairgreedy-env",
  "paircomplete",
  "paircomplete-env",
];

/** What is sent as `User-Agent` where nothing else is chosen. */
export const USER_AGENT: string = `denofold/${config.version}`;

/** A server did not answer at all; to ask it for something else would be in vain. */
export class UnreachableError extends InputError {}

/** Choices of {@linkcode requestMsas}. */
export interface MsaServerOptions {
  /** Address of the server. */
  readonly url: string;
  /** What to search. @default "env" */
  readonly mode?: ServerMode;
  /** Sent as `User-Agent`; operators ask for a way to reach the user. @default {@linkcode USER_AGENT} */
  readonly userAgent?: string;
  /** Folder that keeps the server's answers by the hash of the question; `undefined` keeps none. */
  readonly cache?: string;
  /** Time between two questions at first, in ms; it doubles up to sixfold while the server is busy. @default 5,000 */
  readonly pollMs?: number;
  /** Longest time to wait for an alignment, in ms. @default 2 hours */
  readonly timeoutMs?: number;
  /** Longest time without a word from a server that has answered before, in ms. @default 60,000 */
  readonly silenceMs?: number;
  /** Longest time for a first answer of any kind, in ms. @default 10,000 */
  readonly contactMs?: number;
  /** Largest download, in bytes. @default 256 MiB */
  readonly maxDownloadBytes?: number;
  /** Largest unpacked archive, in bytes. @default 1 GiB */
  readonly maxUnpackedBytes?: number;
  /** Most rows of each alignment. @default all */
  readonly maxRows?: number;
  /** Stops waiting when it aborts. */
  readonly signal?: AbortSignal;
  /** Is told what the server says: `PENDING`, `RUNNING`, ... */
  readonly onStatus?: (status: string) => void;
}

/** What the server gave. */
export interface ServerMsas {
  /** One alignment for each sequence, its first row. */
  readonly alignments: readonly Alignment[];
  /** Whether they come from the cache. */
  readonly cached: boolean;
  /** Number of the ticket; of cached answers that of the first time is not kept. */
  readonly ticket?: string;
}

/** Files of a result, in the order in which ColabFold joins them. */
const RESULT_FILES = ["uniref.a3m", "bfd.mgnify30.metaeuk30.smag30.a3m", "pair.a3m"];

/** The server knows sequences by numbers from here. */
const FIRST_NUMBER = 101;

/** What a server may say of a ticket. */
const WAITING = ["PENDING", "RUNNING"];
const BUSY = ["RATELIMIT", "UNKNOWN"];

/** Failures of the network or the server in a row after which we give up. */
const MOST_FAILURES = 5;

/** The same for a server that has never answered, and the time between two tries of it, in ms. */
const FIRST_FAILURES = 3;
const FIRST_PAUSE_MS = 1000;

/** More than any answer about a ticket has. */
const MAX_ANSWER_BYTES = 1 << 16;

/**
 * Gets alignments of sequences: one sequence, or in the pairing modes the chains of a complex.
 *
 * @throws {InputError} If the server cannot be reached, refuses, fails, is in maintenance or takes too long, or its
 * archive is too large, damaged, or lacks a sequence.
 */
export async function requestMsas(sequences: readonly string[], options: MsaServerOptions): Promise<ServerMsas> {
  const { url, mode = "env", cache } = options;
  const query = sequences.map((sequence, k) => `>${FIRST_NUMBER + k}\n${sequence}\n`).join("");
  const key = await sha256(JSON.stringify([url.replace(/\/+$/, ""), mode, query]));
  const kept = cache === undefined ? undefined : join(cache, `${key}.tar.gz`);
  const isPaired = mode.startsWith("pair");
  const known = kept === undefined ? undefined : await readKept(kept, sequences, isPaired, options);
  if (known !== undefined) return { alignments: known, cached: true };
  const server = new Server(options);
  const ticket = await server.wait(await server.submit(query, mode), query, mode);
  const archive = await server.download(ticket);
  const alignments = await readResult(archive, sequences, isPaired, `The result of ${url}`, options);
  if (kept !== undefined && cache !== undefined) {
    await makeFolder(cache);
    await writeFileAtomic(kept, archive);
  }
  return { alignments, cached: false, ticket };
}

/** The answer that was kept of the same question; one that is damaged goes, and is asked for again. */
async function readKept(
  path: string,
  sequences: readonly string[],
  isPaired: boolean,
  options: MsaServerOptions,
): Promise<Alignment[] | undefined> {
  if (!await Deno.stat(path).then(() => true, () => false)) return undefined;
  try {
    return await readResult(await readFileBytes(path), sequences, isPaired, path, options);
  } catch (error) {
    if (!(error instanceof InputError)) throw error;
    options.onStatus?.("the answer that was kept is damaged, asking again");
    await Deno.remove(path).catch(() => {});
    return undefined;
  }
}

/** A ticket as the server describes it. */
interface Ticket {
  readonly id: string;
  readonly status: string;
}

/** Talks to a server, patiently. */
class Server {
  readonly #start = performance.now();
  #delay: number;
  #hasAnswered = false;

  constructor(readonly options: MsaServerOptions) {
    this.#delay = options.pollMs ?? 5_000;
  }

  /** Hands the question in until the server takes it. */
  async submit(query: string, mode: ServerMode): Promise<Ticket> {
    const path = mode.startsWith("pair") ? "ticket/pair" : "ticket/msa";
    for (;;) {
      const body = new URLSearchParams({ q: query, mode });
      const ticket = await this.#ticket(path, { method: "POST", body });
      this.options.onStatus?.(ticket.status);
      if (!BUSY.includes(ticket.status)) return ticket;
      await this.#pause();
    }
  }

  /** Waits until a ticket is done; asks anew where the server has forgotten it. */
  async wait(ticket: Ticket, query: string, mode: ServerMode): Promise<string> {
    const { url } = this.options;
    let now = ticket;
    while (now.status !== "COMPLETE") {
      if (now.status === "ERROR") throw new InputError(`${url} could not make the alignment: check the sequence`);
      if (now.status === "MAINTENANCE") throw new InputError(`${url} is in maintenance: try again later`);
      if (![...WAITING, ...BUSY].includes(now.status)) {
        throw new InputError(`${url} says ${JSON.stringify(now.status.slice(0, 80))}, expected the state of a ticket`);
      }
      await this.#pause();
      const { id } = now;
      now = now.status === "UNKNOWN"
        ? await this.submit(query, mode)
        : { ...await this.#ticket(`ticket/${encodeURIComponent(id)}`, {}), id };
      this.options.onStatus?.(now.status);
    }
    return now.id;
  }

  /** Fetches a result, no more than is allowed. */
  async download(id: string): Promise<Uint8Array> {
    const { maxDownloadBytes = 256 * 2 ** 20 } = this.options;
    return await this.#patiently(`result/download/${encodeURIComponent(id)}`, {}, maxDownloadBytes);
  }

  async #ticket(path: string, init: RequestInit): Promise<Ticket> {
    const text = new TextDecoder().decode(await this.#patiently(path, init, MAX_ANSWER_BYTES));
    const { id, status } = parseObject(text);
    if (typeof status === "string" && (typeof id === "string" || status !== "COMPLETE")) {
      return { id: typeof id === "string" ? id : "", status };
    }
    throw new InputError(
      `${this.options.url} answered ${
        JSON.stringify(text.slice(0, 80))
      }, expected a ticket: is it a server of alignments?`,
    );
  }

  /** What a request gives; a busy server and failures of the way there are waited for. */
  async #patiently(path: string, init: RequestInit, maxBytes: number): Promise<Uint8Array> {
    const { url, signal } = this.options;
    for (let failures = 0;;) {
      let problem: string;
      let Failure: typeof InputError = UnreachableError;
      using silence = new Silence(this.#hasAnswered ? this.#silenceMs : this.#contactMs, this.#timeLeft());
      try {
        const response = await this.#fetch(path, init, silence);
        Failure = InputError; // of this request: others may be answered
        if (response.ok) return await this.#read(response, maxBytes, silence);
        await response.body?.cancel();
        problem = `it answered ${response.status} ${response.statusText}`.trim();
        if (response.status === 429 || response.status === 503) {
          this.options.onStatus?.("RATELIMIT");
          await this.#pause(retryAfterMs(response));
          continue;
        }
        if (response.status < 500) throw new InputError(`${url} refuses ${path}: ${problem}`);
      } catch (error) {
        if (error instanceof InputError) throw error;
        if (signal?.aborted) throw new InputError("Interrupted while waiting for the server");
        problem = silence.isTooLong ? `nothing came from it for ${silence.seconds} s` : reasonOf(error);
      }
      const isOver = this.#hasAnswered
        ? ++failures >= MOST_FAILURES
        : ++failures >= FIRST_FAILURES || performance.now() - this.#start >= this.#contactMs;
      if (isOver) throw new Failure(`Cannot reach ${url}: ${problem}`);
      await this.#pause();
    }
  }

  async #fetch(path: string, init: RequestInit, silence: Silence): Promise<Response> {
    const { url, userAgent = USER_AGENT, signal } = this.options;
    const response = await fetch(`${url.replace(/\/+$/, "")}/${path}`, {
      ...init,
      headers: { "User-Agent": userAgent },
      signal: signal === undefined ? silence.signal : AbortSignal.any([signal, silence.signal]),
    });
    this.#hasAnswered = true;
    silence.end(this.#silenceMs);
    return response;
  }

  async #read(response: Response, maxBytes: number, silence: Silence): Promise<Uint8Array> {
    const parts: Uint8Array[] = [];
    let size = 0;
    for await (const part of response.body ?? []) {
      silence.end(this.#silenceMs);
      size += part.length;
      if (size > maxBytes) {
        throw new InputError(
          `The answer of ${this.options.url} has more than ${maxBytes} bytes, the most that is accepted`,
        );
      }
      parts.push(part);
    }
    return concatenate(parts, size);
  }

  get #silenceMs(): number {
    return this.options.silenceMs ?? 60_000;
  }

  get #contactMs(): number {
    return this.options.contactMs ?? 10_000;
  }

  /** Waits, longer each time, with some chance in it so that many clients do not come at once. */
  async #pause(atLeast = 0): Promise<void> {
    const { pollMs = 5_000, signal } = this.options;
    const usual = this.#hasAnswered ? this.#delay : Math.min(this.#delay, FIRST_PAUSE_MS);
    const ms = Math.max(atLeast, usual * (1 + Math.random() / 2));
    if (this.#hasAnswered) this.#delay = Math.min(6 * pollMs, 2 * this.#delay);
    if (ms >= this.#timeLeft()) throw this.#tooLong();
    try {
      await delay(ms, undefined, { signal });
    } catch (error) {
      if (signal?.aborted) throw new InputError("Interrupted while waiting for the server");
      throw error;
    }
  }

  #timeLeft(): number {
    const { timeoutMs = 2 * 3_600_000 } = this.options;
    const left = timeoutMs - (performance.now() - this.#start);
    if (left <= 0) throw this.#tooLong();
    return left;
  }

  #tooLong(): InputError {
    const { url, timeoutMs = 2 * 3_600_000 } = this.options;
    return new InputError(`${url} was not done within ${timeoutMs / 60_000} minutes: try again later`);
  }
}

/** Ends a request when nothing has come for too long, or the time for all is up. */
class Silence implements Disposable {
  readonly #controller = new AbortController();
  readonly #whole: ReturnType<typeof setTimeout>;
  #timer: ReturnType<typeof setTimeout> | undefined;
  /** Whether nothing came for too long. */
  isTooLong = false;
  /** The time that is too long. */
  seconds = 0;

  /**
   * @param ms Longest time until something comes.
   * @param leftMs Longest time for all.
   */
  constructor(ms: number, leftMs: number) {
    this.#whole = setTimeout(() => this.#controller.abort(), leftMs);
    this.end(ms);
  }

  /** Aborts the request. */
  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  /** Something came; now at most so much time until something more comes. */
  end(ms: number): void {
    clearTimeout(this.#timer);
    this.seconds = ms / 1000;
    this.#timer = setTimeout(() => {
      this.isTooLong = true;
      this.#controller.abort();
    }, ms);
  }

  [Symbol.dispose](): void {
    clearTimeout(this.#timer);
    clearTimeout(this.#whole);
  }
}

/** Alignments in an archive: files in their order, in each the sequences by their numbers, NUL between them. */
async function readResult(
  archive: Uint8Array,
  sequences: readonly string[],
  isPaired: boolean,
  source: string,
  { maxUnpackedBytes = 2 ** 30, maxRows }: MsaServerOptions,
): Promise<Alignment[]> {
  if (archive[0] !== 0x1f || archive[1] !== 0x8b) throw new InputError(`${source} is not a .tar.gz archive`);
  const files = readTar(unpackMaybeGzip(archive, source, maxUnpackedBytes), source);
  const parts = new Map<number, Alignment[]>();
  for (const name of RESULT_FILES) {
    for (const part of partsOf(files.get(name) ?? new Uint8Array())) {
      const start = new TextDecoder().decode(part.subarray(0, 200));
      const number = Number(/^\s*>(\d+)\s/.exec(start)?.[1] ?? NaN);
      if (!(number >= FIRST_NUMBER && number < FIRST_NUMBER + sequences.length)) {
        throw new InputError(`${source}: ${name} has a part that begins ${JSON.stringify(start.slice(0, 20))}`);
      }
      const alignment = await readAlignmentPieces(piecesOf(part), `${source}, ${name}`, { maxRows });
      const odd = isPaired ? warningsOf(alignment)[0] : undefined;
      if (odd !== undefined) throw new InputError(`The rows of the chains do not belong together any more: ${odd}`);
      const known = parts.get(number);
      if (known === undefined) parts.set(number, [alignment]);
      else known.push(alignment);
    }
  }
  return sequences.map((sequence, k) => {
    const found = parts.get(FIRST_NUMBER + k);
    if (found !== undefined) return joined(found, sequence, source, maxRows);
    const there = [...files.keys()].join(", ") || "nothing";
    throw new InputError(`${source} has no alignment of sequence ${k + 1}: it has ${there}`);
  });
}

/** What lies between the NULs of a file, but for blanks. */
function* partsOf(bytes: Uint8Array): Generator<Uint8Array> {
  for (let at = 0; at < bytes.length;) {
    const end = bytes.indexOf(0, at);
    const part = bytes.subarray(at, end < 0 ? bytes.length : end);
    if (part.some((byte) => byte > 32)) yield part;
    at += part.length + 1;
  }
}

/** Alignments of one query as one; the query stands in it once. */
function joined(alignments: readonly Alignment[], sequence: string, source: string, maxRows?: number): Alignment {
  for (const { rows } of alignments) {
    if (rows[0].length === sequence.length) continue;
    throw new InputError(
      `${source}: the first row has ${rows[0].length} residues, expected the ${sequence.length} of the query`,
    );
  }
  const names = alignments.flatMap((one, a) => one.names.slice(a === 0 ? 0 : 1)).slice(0, maxRows);
  const aligned = alignments.flatMap((one, a) => one.aligned.slice(a === 0 ? 0 : 1)).slice(0, maxRows);
  const remarks = alignments.flatMap((one) => one.remarks ?? []);
  return makeAlignment(source, names, [sequence, ...aligned.slice(1)], { remarks });
}

function parseObject(text: string): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === "object" && value !== null ? { ...value } : {};
  } catch {
    return {};
  }
}

/** Why a request failed: what the innermost cause says, without the address, which the message has already. */
function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  if (error.cause instanceof Error) return reasonOf(error.cause);
  return error.message.replace(/^error sending request for url \([^)]*\): /, "").replace(/ \(os error \d+\)$/, "");
}

/** What a busy server asks for, seconds or a date, in ms. */
function retryAfterMs(response: Response): number {
  const value = response.headers.get("Retry-After") ?? "";
  const ms = /^\d+$/.test(value) ? 1000 * Number(value) : Date.parse(value) - Date.now();
  return Number.isFinite(ms) ? Math.max(0, ms) : 0;
}

function concatenate(parts: readonly Uint8Array[], size: number): Uint8Array {
  const whole = new Uint8Array(size);
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}
