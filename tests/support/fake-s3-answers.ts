/* What a fake S3 says, in the words of S3. */

/** A file that comes in parts. */
export interface FakeUpload {
  key: string;
  meta: Record<string, string>;
  parts: Map<number, { bytes: Uint8Array<ArrayBuffer>; etag: string }>;
}

/** The parts of an upload, in order. */
export function listed({ parts }: FakeUpload): Response {
  const each = [...parts]
    .toSorted(([a], [b]) => a - b)
    .map(
      ([number, { bytes, etag }]) =>
        `<Part><PartNumber>${number}</PartNumber><ETag>${escape(etag)}</ETag><Size>${bytes.length}</Size></Part>`,
    );
  return xml(`<ListPartsResult>${each.join("")}</ListPartsResult>`);
}

/** An answer in XML. */
export function xml(text: string): Response {
  return new Response(`<?xml version="1.0" encoding="UTF-8"?>${text}`);
}

/** A refusal, in the way of S3. */
export function failure(status: number, code: string): Response {
  return new Response(
    `<?xml version="1.0"?><Error><Code>${code}</Code><Message>no</Message></Error>`,
    { status },
  );
}

/** Half of an answer, then the connection breaks. */
export function cut(bytes: Uint8Array, headers: Headers): Response {
  const pieces = [bytes.subarray(0, bytes.length / 2)];
  const half = new ReadableStream<Uint8Array>(
    {
      pull(controller) {
        const piece = pieces.shift();
        if (piece && piece.length > 0) controller.enqueue(piece);
        // Without an error: the runtime would write it to the log.
        else controller.error();
      },
    },
    { highWaterMark: 0 },
  );
  return new Response(half, { headers });
}

/** The headers that S3 keeps with an object. */
export function metaOf(headers: Headers): Record<string, string> {
  return Object.fromEntries([...headers].filter(([name]) => name.startsWith("x-amz-meta-")));
}

/** The MD5 of bytes. */
export function md5Of(bytes: Uint8Array, as: "hex" | "base64"): string {
  return new Bun.CryptoHasher("md5").update(bytes).digest(as);
}

/** Text as it stands in XML. */
export function escape(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll('"', "&quot;");
}
