import { HEADER_BYTES } from "../../lib/protocol/frame.ts";
import type { Random } from "./random.ts";

/** Numbers that often trigger bugs. */
const NUMBERS = [
  -1,
  -0,
  0,
  0.5,
  1,
  2 ** 16,
  2 ** 31,
  2 ** 32 - 1,
  2 ** 32,
  2 ** 53 - 1,
  2 ** 53,
  2 ** 64,
  -(2 ** 53),
  1e308,
];

/** Texts that often trigger bugs. */
const TEXTS = [
  "",
  " ",
  "\0",
  "a\0b",
  "\n",
  "\u202Egpj.exe",
  "\uD800",
  "я".repeat(300),
  "x".repeat(70_000),
  "../../../../etc/passwd",
  "..\\..\\windows\\win.ini",
  "/dev/zero",
  "/proc/self/environ",
  "CON",
  "' OR 1=1 --",
  "${7*7}",
  "%00",
  "<script>alert(1)</script>",
  "1e3",
  "NaN",
  "__proto__",
];

/** Offset and size in bytes of each field in a frame's header (lib/protocol/frame.ts). */
const HEADER_FIELDS = [
  [0, 1],
  [1, 1],
  [2, 4],
  [6, 4],
  [10, 8],
  [18, 4],
  [22, 4],
  [26, 4],
  [30, 4],
] as const;
const CRC_AT = HEADER_BYTES - 4;

type Bytes = Uint8Array<ArrayBuffer>;

/** Makes random mutations of valid JSON values, texts and frames, and of the order of a list. */
export class Mutator {
  constructor(private readonly random: Random) {}

  /** Returns the JSON of a value, with a random change of either the value or its text. */
  json(value: unknown): string {
    const { random } = this;
    const chance = random.float();
    if (chance < 0.7) return this.#twiceJson(this.value(value));
    const text = JSON.stringify(value);
    if (chance < 0.75) return text.slice(0, random.int(0, text.length));
    if (chance < 0.8) return text + this.random.pick(["}", "\0", " ", text, ",", "\u2028"]);
    if (chance < 0.83) return "[".repeat(random.int(1, 60_000));
    if (chance < 0.86) return JSON.stringify(random.pick<unknown>([...NUMBERS, ...TEXTS, [], {}]));
    if (chance < 0.9) return `\uFEFF${text}`;
    return this.text(text);
  }

  /** Returns a value with one random part missing, added, of another type or out of range. */
  value(value: unknown): unknown {
    const { random } = this;
    if (Array.isArray(value) && value.length > 0 && random.float() < 0.8) {
      return value.with(random.int(0, value.length - 1), this.value(random.pick(value)));
    }
    if (typeof value !== "object" || value === null || random.float() < 0.05) {
      return this.#other(value);
    }
    const fields = Object.entries(value);
    if (fields.length === 0 || random.float() < 0.1) return { ...value, ...this.#stray() };
    const [name, old] = random.pick(fields);
    if (random.float() < 0.1) return { ...value, [name]: undefined };
    return { ...value, [name]: this.value(old) };
  }

  /** Returns a text with up to three random changes: characters replaced, removed or inserted. */
  text(text: string): string {
    const { random } = this;
    let changed = text;
    for (let times = random.int(1, 3); times > 0; times--) {
      const at = random.int(0, changed.length);
      const put = random.pick(["", "", '"', "\\", "{", ":", "0", "-", random.pick(TEXTS)]);
      changed = changed.slice(0, at) + put + changed.slice(at + random.int(0, 2));
    }
    return changed;
  }

  /**
   * Returns a frame that is cut, extended, random or corrupted, or has a false header field with a correct
   * CRC.
   */
  frame(frame: Bytes): Bytes {
    const { random } = this;
    const chance = random.float();
    if (chance < 0.1) return frame.slice(0, random.int(0, frame.length - 1));
    if (chance < 0.15) return new Uint8Array([...frame, ...random.bytes(random.int(1, 40))]);
    if (chance < 0.2) return random.bytes(random.int(0, 200));
    const changed = frame.slice();
    if (chance < 0.5 || frame.length < HEADER_BYTES) return this.#flipped(changed, 0);
    if (chance < 0.6) return this.#flipped(changed, HEADER_BYTES);
    return this.#forged(changed);
  }

  /** Returns a list with some items left out, some repeated, and sometimes an item in a wrong place. */
  order<T>(items: readonly T[]): T[] {
    const { random } = this;
    const changed = items.flatMap((item) => {
      const chance = random.float();
      if (chance < 0.1) return [];
      return Array<T>(chance < 0.2 ? 2 : chance < 0.22 ? 50 : 1).fill(item);
    });
    if (changed.length < 2 || random.float() < 0.5) return changed;
    const [a, b] = [random.int(0, changed.length - 1), random.int(0, changed.length - 1)];
    return changed.with(a, changed[b]!).with(b, changed[a]!);
  }

  #other(value: unknown): unknown {
    const { random } = this;
    if (typeof value === "number" && random.float() < 0.6) {
      return random.pick([value + 1, value - 1, -value, value * 2, ...NUMBERS]);
    }
    if (typeof value === "string" && random.float() < 0.6) {
      return random.pick([`${value}x`, value.slice(1), value.repeat(3), ...TEXTS]);
    }
    return random.pick<unknown>([null, true, [], {}, [value], { value }, ...NUMBERS, ...TEXTS]);
  }

  #stray(): Record<string, unknown> {
    const { random } = this;
    return { [random.pick(["future", "constructor", "", ...TEXTS])]: random.pick(NUMBERS) };
  }

  /** Returns JSON in which, in one of 20 cases, all names occur twice. Parsers take the last one. */
  #twiceJson(value: unknown): string {
    const text = JSON.stringify(value) ?? "";
    if (!text.startsWith('{"') || this.random.float() < 0.95) return text;
    return `${text.slice(0, -1)},${text.slice(1)}`;
  }

  #flipped(bytes: Bytes, from: number): Bytes {
    for (let times = this.random.int(1, 4); times > 0 && bytes.length > from; times--) {
      const at = this.random.int(from, bytes.length - 1);
      bytes[at] = bytes[at]! ^ (1 << this.random.int(0, 7));
    }
    return bytes;
  }

  #forged(bytes: Bytes): Bytes {
    const { random } = this;
    const [at, size] = random.pick(HEADER_FIELDS);
    const view = new DataView(bytes.buffer);
    const old = bytes.slice(at, at + size);
    bytes.set(
      random.pick([random.bytes(size), new Uint8Array(size), new Uint8Array(size).fill(255)]),
      at,
    );
    if (random.float() < 0.5) {
      bytes.set(old, at);
      bytes[at + size - 1] = (old[size - 1]! + random.pick([1, 255, 4])) & 255;
    }
    if (at !== CRC_AT) view.setUint32(CRC_AT, Bun.hash.crc32(bytes.subarray(0, CRC_AT)));
    return bytes;
  }
}
