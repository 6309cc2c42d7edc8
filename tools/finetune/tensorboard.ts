/**
 * Event files of TensorBoard with scalars: records framed as TFRecord, each one an `Event` message.
 *
 * Source: tensorflow/core/util/event.proto, framework/summary.proto and lib/io/record_writer.h; CRC-32C: RFC 3720, B.4.
 */
import { join } from "node:path";
import { makeFolder } from "../files.ts";

/** Numbers of the fields that are written. */
const EVENT = { wallTime: 1, step: 2, fileVersion: 3, summary: 5, sessionLog: 7 } as const;
const SUMMARY_VALUE = 1, VALUE = { tag: 1, simpleValue: 2 } as const, SESSION = { status: 1, start: 1 } as const;

/** How a field is encoded. */
const WIRE = { varint: 0, fixed64: 1, bytes: 2, fixed32: 5 } as const;

/** An event file that grows. A reader may look at it at any time. */
export class EventFile {
  readonly #file: Deno.FsFile;

  private constructor(file: Deno.FsFile) {
    this.#file = file;
  }

  /**
   * Begins a file in a folder; TensorBoard puts all files of a folder together.
   *
   * @param step The step that the run begins or goes on with: what older files say of it and of later ones no longer counts.
   */
  static async create(folder: string, step: number, now = Date.now()): Promise<EventFile> {
    await makeFolder(folder);
    const name = `events.out.tfevents.${Math.floor(now / 1000)}.denofold.${now % 1000}.${step}`;
    const events = new EventFile(await Deno.open(join(folder, name), { write: true, create: true, truncate: true }));
    await events.#write(eventBytes(now, 0, textField(EVENT.fileVersion, "brain.Event:2")));
    const start = varintField(SESSION.status, SESSION.start);
    await events.#write(eventBytes(now, step, bytesField(EVENT.sessionLog, start)));
    return events;
  }

  /** Adds numbers of a step by their tags, such as `train/loss`. */
  async scalars(step: number, values: Readonly<Record<string, number>>, now = Date.now()): Promise<void> {
    const summary = Object.entries(values).flatMap(([tag, value]) =>
      bytesField(SUMMARY_VALUE, [...textField(VALUE.tag, tag), ...floatField(VALUE.simpleValue, value)])
    );
    if (summary.length) await this.#write(eventBytes(now, step, bytesField(EVENT.summary, summary)));
  }

  async #write(data: Uint8Array): Promise<void> {
    const record = recordOf(data);
    for (let at = 0; at < record.length;) at += await this.#file.write(record.subarray(at));
  }

  /** Closes the file. */
  [Symbol.dispose](): void {
    this.#file.close();
  }
}

function eventBytes(now: number, step: number, what: readonly number[]): Uint8Array {
  const time = new Uint8Array(new Float64Array([now / 1000]).buffer);
  return Uint8Array.from([tagOf(EVENT.wallTime, WIRE.fixed64), ...time, ...varintField(EVENT.step, step), ...what]);
}

/** Length, its checksum, the data, their checksum. */
function recordOf(data: Uint8Array): Uint8Array {
  const record = new Uint8Array(data.length + 16), view = new DataView(record.buffer);
  view.setBigUint64(0, BigInt(data.length), true);
  view.setUint32(8, maskedCrc(record.subarray(0, 8)), true);
  record.set(data, 12);
  view.setUint32(12 + data.length, maskedCrc(data), true);
  return record;
}

const tagOf = (field: number, wire: number) => field << 3 | wire;

function varint(value: number): number[] {
  const bytes: number[] = [];
  for (let rest = value; bytes.length === 0 || rest > 0; rest = Math.floor(rest / 128)) {
    bytes.push(rest % 128 | (rest >= 128 ? 128 : 0));
  }
  return bytes;
}

function varintField(field: number, value: number): number[] {
  return [tagOf(field, WIRE.varint), ...varint(value)];
}

function bytesField(field: number, bytes: readonly number[]): number[] {
  return [tagOf(field, WIRE.bytes), ...varint(bytes.length), ...bytes];
}

function textField(field: number, text: string): number[] {
  return bytesField(field, [...new TextEncoder().encode(text)]);
}

function floatField(field: number, value: number): number[] {
  return [tagOf(field, WIRE.fixed32), ...new Uint8Array(new Float32Array([value]).buffer)];
}

/** Reversed Castagnoli polynomial. */
const POLYNOMIAL = 0x82f63b78;

const CRC_TABLE = Uint32Array.from({ length: 256 }, (_, byte) => {
  let crc = byte;
  for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? crc >>> 1 ^ POLYNOMIAL : crc >>> 1;
  return crc;
});

/** CRC-32C of bytes. */
export function crc32c(bytes: Uint8Array): number {
  let crc = ~0;
  for (const byte of bytes) crc = CRC_TABLE[(crc ^ byte) & 0xff] ^ crc >>> 8;
  return ~crc >>> 0;
}

/** As TFRecord stores it, so that a checksum of data with checksums in them stays one. */
function maskedCrc(bytes: Uint8Array): number {
  const crc = crc32c(bytes);
  return ((crc >>> 15 | crc << 17) + 0xa282ead8) >>> 0;
}
