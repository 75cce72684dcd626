import { closeSync, fstatSync, openSync, readdirSync, readFileSync, readSync } from "node:fs";
import { join } from "node:path";
import { Bucket } from "../../../lib/server/storage/s3/bucket.ts";
import { SEGMENT } from "../../../lib/server/storage/s3/pieces.ts";
import { atOnce } from "../../../lib/util/at-once.ts";

/*
 * The bare loop: stores a file in pieces of a segment, or each file of a folder, and nothing more. When it is
 * told how many at once, and under which prefix, it does so; says when all is there. Arguments: the
 * settings of the bucket as JSON, the file or folder.
 */

const [settings = "", source = ""] = process.argv.slice(2);
const bucket = new Bucket(JSON.parse(settings));

/** What reads each of the bodies. */
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
    await bucket.ask({ method: "PUT", key, body: read() }, { forMs: 0 });
  });
  process.send?.("stored");
});
