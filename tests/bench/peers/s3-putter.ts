import { closeSync, fstatSync, openSync, readdirSync, readFileSync, readSync } from "node:fs";
import { join } from "node:path";
import { Bucket } from "../../../lib/server/storage/s3/bucket.ts";
import { SEGMENT } from "../../../lib/server/storage/s3/pieces.ts";
import { atOnce } from "../../../lib/util/at-once.ts";

/*
 * Stores a file in S3, in pieces as large as those that a server stores, or each file of a folder as one
 * object, and nothing more. It starts at a message with a prefix and the number of simultaneous requests, and
 * sends `stored` when done. Arguments: the options of the bucket as JSON, the path of the file or folder.
 */

const [settings = "", source = ""] = process.argv.slice(2);
const bucket = new Bucket(JSON.parse(settings));

/** Returns a function for each object to store, which reads the object's content. */
function bodiesOf(path: string): (() => Uint8Array<ArrayBuffer>)[] {
  const file = openSync(path, "r");
  const stat = fstatSync(file);
  if (stat.isDirectory()) {
    closeSync(file);
    const entries = readdirSync(path, { recursive: true, withFileTypes: true });
    const files = entries.filter((entry) => entry.isFile());
    return files.map(
      ({ parentPath, name }) =>
        () =>
          new Uint8Array(readFileSync(join(parentPath, name))),
    );
  }
  return Array.from({ length: Math.ceil(stat.size / SEGMENT) }, (_, n) => () => {
    const bytes = new Uint8Array(Math.min(SEGMENT, stat.size - n * SEGMENT));
    readSync(file, bytes, 0, bytes.length, n * SEGMENT);
    return bytes;
  });
}

const bodies = bodiesOf(source);

process.on("message", async ({ most, prefix }: { most: number; prefix: string }) => {
  await atOnce(most, bodies, async (read, n) => {
    const key = `${prefix}${n}`;
    await bucket.ask({ method: "PUT", key, body: read() }, { maxRetryMs: 0 });
  });
  process.send?.("stored");
});
