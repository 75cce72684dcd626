import type { FdsError } from "../../protocol/errors.ts";

/** A WebSocket close reason holds at most 123 bytes (RFC 6455, 5.5). */
const MAX_REASON_BYTES = 123;

/** The reason in the close frame of a connection that ends with an error. */
export function closeReason({ code, message }: FdsError): string {
  const reason = `${code}: ${message}`;
  const bytes = Buffer.from(reason);
  if (bytes.length <= MAX_REASON_BYTES) return reason;
  // A character cut in two would make the close frame invalid.
  return new TextDecoder("utf-8", { ignoreBOM: true })
    .decode(bytes.subarray(0, MAX_REASON_BYTES))
    .replace(/\uFFFD+$/, "");
}
