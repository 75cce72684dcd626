import { MAX_MESSAGE_BYTES } from "../../protocol/messages.ts";
import type { StreamCommand } from "./incoming-stream.ts";

/** Bytes of patterns in one message, which leaves room for its other fields. */
const MOST_BYTES = MAX_MESSAGE_BYTES - 1024;

type Select = Extract<StreamCommand, { type: "set_select" }>;

/** The messages with a set's patterns, each short enough. */
export function selections(include: string[], exclude: string[]): Select[] {
  const messages: Select[] = [];
  for (const [field, patterns] of [
    ["include", include],
    ["exclude", exclude],
  ] as const) {
    let bytes = Infinity;
    for (const pattern of patterns) {
      const length = Buffer.byteLength(JSON.stringify(pattern)) + 1;
      if (bytes + length > MOST_BYTES) {
        messages.push({ type: "set_select", include: [], exclude: [] });
        bytes = 0;
      }
      messages.at(-1)?.[field].push(pattern);
      bytes += length;
    }
  }
  return messages;
}
