import { atOnce } from "../../../util/at-once.ts";
import { FdsError } from "../../../protocol/errors.ts";
import { S3Error } from "./error.ts";
import { Multipart, type Source, type Upload, uploadIn } from "./multipart.ts";
import type { NewObject, Objects } from "./objects.ts";
import { bySegment, type Piece } from "./pieces.ts";
import type { S3Context } from "./place.ts";

/*
 * Composes one object from many pieces inside S3. A single piece is copied by one request. Otherwise the
 * object is made by a multipart upload. The object is divided into segments of the same size, and each
 * segment becomes one part of the upload, because some S3 servers demand parts of the same size, except the
 * last. A segment that consists of one piece is copied. A segment of several short pieces is read, joined and
 * sent. If there are more segments than an upload may have parts, groups of segments are first composed into
 * objects, which then become the parts.
 */

/**
 * Number of segments in a group, which is first composed into an object of 1 GiB. The largest object of S3, 5
 * TiB, has 5,120 groups, fewer than the 10,000 parts that an upload may have.
 */
const GROUP = 128;
/** Number of parts of an upload that are made at the same time. */
const AT_ONCE = 4;

/** Options for composing an object. `prefix` is the common prefix of the pieces' keys. */
export interface ComposeOptions extends Omit<S3Context, "now"> {
  /** Conditions and metadata for creating the object. */
  newObject: NewObject;
}

/** Name of the object that records the upload under way, so that it can be aborted after a crash. */
export const UPLOAD = "upload";

/**
 * Composes one object from consecutive pieces. The object appears as a whole or not at all.
 * @throws S3Error, with status 412 if the name is taken and `how` forbids replacing
 */
export async function compose(
  key: string,
  pieces: Piece[],
  options: ComposeOptions,
): Promise<void> {
  const { segment, maxParts, objects, memory, newObject } = options;
  if (await tryCopy(key, pieces, options)) return;
  const segments = bySegment(pieces, segment);
  if (segments.length <= 1) {
    const size = pieces.reduce((sum, { length }) => sum + length, 0);
    await memory.with(size, async () => {
      await objects.put(key, await joined(objects, pieces), newObject);
    });
    return;
  }
  const isLong = segments.length > maxParts;
  const parts = isLong ? await composeGroups(segments, options) : segments;
  await composeParts(key, parts, options);
}

/**
 * Composes an object from a single piece that is a whole object, by one copy.
 * @returns false if there are several pieces, the piece is only part of an object, or the S3 server does not
 *   implement copies
 */
async function tryCopy(
  key: string,
  [only, ...others]: Piece[],
  { objects, newObject }: ComposeOptions,
): Promise<boolean> {
  if (!only || others.length > 0 || only.length !== only.size) return false;
  try {
    if (await objects.copy(only, key, newObject)) return true;
  } catch (error) {
    if (error instanceof S3Error && error.isNotImplemented) return false;
    throw error;
  }
  throw new FdsError("storage_error", "a piece is missing");
}

/** Composes each group of segments into an object of its own. */
async function composeGroups(segments: Piece[][], options: ComposeOptions): Promise<Piece[][]> {
  const groups: Piece[][] = [];
  for (let at = 0; at < segments.length; at += GROUP) {
    const group = segments.slice(at, at + GROUP);
    const key = `${options.prefix}group-${at}`;
    await composeParts(key, group, { ...options, newObject: {} });
    const head = await options.objects.head(key);
    if (!head) throw new FdsError("storage_error", "a group of segments is missing");
    const offset = group[0]?.[0]?.offset ?? 0;
    const { size, etag } = head;
    groups.push([{ key, etag, size, start: 0, offset, length: size }]);
  }
  return groups;
}

async function composeParts(key: string, parts: Piece[][], options: ComposeOptions): Promise<void> {
  const { objects, prefix, newObject } = options;
  await endUpload(objects, prefix);
  const multipart = new Multipart(objects);
  const upload = await multipart.create(key, newObject);
  try {
    await objects.put(prefix + UPLOAD, new TextEncoder().encode(JSON.stringify(upload)));
    const etags: string[] = Array.from({ length: parts.length });
    await atOnce(AT_ONCE, parts, async (pieces, n) => {
      etags[n] = await makePart(multipart, upload, n + 1, pieces, options);
    });
    await multipart.complete(upload, etags, newObject);
  } catch (error) {
    // If this abort fails, it is tried again when the pieces are removed. Its error is ignored, so that the
    // error that stopped the upload is thrown.
    await multipart.abort(upload).catch(() => undefined);
    throw error;
  }
}

function makePart(
  multipart: Multipart,
  upload: Upload,
  partNumber: number,
  pieces: Piece[],
  { objects, memory }: ComposeOptions,
): Promise<string> {
  const [only] = pieces;
  if (only && pieces.length === 1) return multipart.copy(upload, partNumber, sourceOf(only));
  const size = pieces.reduce((sum, { length }) => sum + length, 0);
  return memory.with(size, async () =>
    multipart.put(upload, partNumber, await joined(objects, pieces)),
  );
}

function sourceOf({ key, etag, size, start, length }: Piece): Source {
  return { key, etag, size, start, end: start + length };
}

async function joined(objects: Objects, pieces: Piece[]): Promise<Uint8Array<ArrayBuffer>> {
  const size = pieces.reduce((sum, { length }) => sum + length, 0);
  const bytes = new Uint8Array(size);
  let at = 0;
  for (const { key, start, length, etag } of pieces) {
    bytes.set(await objects.get(key, { start, end: start + length }, etag), at);
    at += length;
  }
  return bytes;
}

/**
 * Aborts a multipart upload. Its id is in the object with the key `prefix` + `UPLOAD`. Does nothing if there
 * is no such object.
 */
export async function endUpload(objects: Objects, prefix: string): Promise<void> {
  const head = await objects.head(prefix + UPLOAD);
  if (!head) return;
  const bytes = await objects.get(prefix + UPLOAD, { start: 0, end: head.size }, head.etag);
  const upload = uploadIn(new TextDecoder().decode(bytes));
  if (upload) await new Multipart(objects).abort(upload);
}

/**
 * Whether an error of {@link compose} may mean that the object's name is taken. Status 404 means that the
 * multipart upload is gone, perhaps because the same request completed it before and its answer was lost. The
 * name is then taken by the composed object itself.
 */
export function isTaken(error: unknown): boolean {
  return error instanceof S3Error && (error.status === 412 || error.status === 404);
}
