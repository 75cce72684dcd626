import type { FdsError } from "../../protocol/errors.ts";

/** Maximum length of a WebSocket's close reason, in bytes (RFC 6455, 5.5). */
const MAX_REASON_BYTES = 123;

/** Returns the reason for a WebSocket's close frame, from an error. */
export function closeReason({ code, message }: FdsError): string {
  const reason = `${code}: ${message}`;
  const bytes = Buffer.from(reason);
  if (bytes.length <= MAX_REASON_BYTES) return reason;
  // The last character may be cut in the middle. It is dropped, as it would make the close frame invalid.
  return new TextDecoder("utf-8", { ignoreBOM: true })
    .decode(bytes.subarray(0, MAX_REASON_BYTES))
    .replace(/\uFFFD+$/, "");
}
