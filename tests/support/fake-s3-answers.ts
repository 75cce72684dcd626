/* Responses of the fake S3, in the XML that S3 uses. */

/** A multipart upload in progress. */
export interface FakeUpload {
  key: string;
  meta: Record<string, string>;
  parts: Map<number, { bytes: Uint8Array<ArrayBuffer>; etag: string }>;
}

/** Answers ListParts with the parts of an upload, by number. */
export function listed({ parts }: FakeUpload): Response {
  const each = [...parts]
    .toSorted(([a], [b]) => a - b)
    .map(
      ([number, { bytes, etag }]) =>
        `<Part><PartNumber>${number}</PartNumber><ETag>${escape(etag)}</ETag><Size>${bytes.length}</Size></Part>`,
    );
  return xml(`<ListPartsResult>${each.join("")}</ListPartsResult>`);
}

/** Makes a response with an XML body. */
export function xml(text: string): Response {
  return new Response(`<?xml version="1.0" encoding="UTF-8"?>${text}`);
}

/** Makes an S3 error response. */
export function failure(status: number, code: string): Response {
  return new Response(
    `<?xml version="1.0"?><Error><Code>${code}</Code><Message>no</Message></Error>`,
    { status },
  );
}

/** Sends the first half of a body, then breaks the connection. */
export function cut(bytes: Uint8Array, headers: Headers): Response {
  const pieces = [bytes.subarray(0, bytes.length / 2)];
  const half = new ReadableStream<Uint8Array>(
    {
      pull(controller) {
        const piece = pieces.shift();
        if (piece && piece.length > 0) controller.enqueue(piece);
        // No error object is given, because the runtime would log it.
        else controller.error();
      },
    },
    { highWaterMark: 0 },
  );
  return new Response(half, { headers });
}

/** Returns the headers that S3 stores as an object's user metadata. */
export function metaOf(headers: Headers): Record<string, string> {
  return Object.fromEntries([...headers].filter(([name]) => name.startsWith("x-amz-meta-")));
}

/** Returns the MD5 of bytes as hex or base64. */
export function md5Of(bytes: Uint8Array, as: "hex" | "base64"): string {
  return new Bun.CryptoHasher("md5").update(bytes).digest(as);
}

/** Escapes text for XML. */
export function escape(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll('"', "&quot;");
}
