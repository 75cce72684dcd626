import { MAX_MESSAGE_BYTES } from "../../protocol/messages.ts";
import type { StreamCommand } from "./incoming-stream.ts";

/** Maximum size of the patterns in one message, in bytes. It leaves room for the message's other fields. */
const MAX_BYTES = MAX_MESSAGE_BYTES - 1024;

type Select = Extract<StreamCommand, { type: "set_select" }>;

/** Splits a set's patterns into messages that are short enough to be sent. */
export function selections(include: string[], exclude: string[]): Select[] {
  const messages: Select[] = [];
  for (const [field, patterns] of [
    ["include", include],
    ["exclude", exclude],
  ] as const) {
    let bytes = Infinity;
    for (const pattern of patterns) {
      const length = Buffer.byteLength(JSON.stringify(pattern)) + 1;
      if (bytes + length > MAX_BYTES) {
        messages.push({ type: "set_select", include: [], exclude: [] });
        bytes = 0;
      }
      messages.at(-1)?.[field].push(pattern);
      bytes += length;
    }
  }
  return messages;
}
