import { atOnce } from "../../../util/at-once.ts";
import { FdsError } from "../../../protocol/errors.ts";
import { S3Error } from "./error.ts";
import { Multipart, type Source, type Upload, uploadIn } from "./multipart.ts";
import type { NewObject, Objects } from "./objects.ts";
import { bySegment, type Piece } from "./pieces.ts";
import type { Place } from "./place.ts";

/*
 * Composes one object of many pieces inside S3. A single piece is copied by one request. Otherwise all parts
 * except the last have the same size, as some S3 servers demand: a full segment is copied, and the tails of
 * one segment are read and joined. A file with more segments than an object may have parts is made of groups,
 * which are composed first.
 */

/** Segments in a group. The largest object of S3, 5 TiB, has 5,120 groups of 1 GiB. */
const GROUP = 128;
/** Parts that are made at the same time. */
const AT_ONCE = 4;

/** @property prefix of the keys of its pieces */
export interface ComposeOptions extends Omit<Place, "now"> {
  /** How the object is created. */
  how: NewObject;
}

/** Name of the object that records the running upload, so that it can be ended after a crash. */
export const UPLOAD = "upload";

/**
 * Makes one object of pieces in a row. It appears as a whole, or not at all.
 * @throws S3Error, with status 412 where the name is taken and `how` forbids replacing
 */
export async function compose(
  key: string,
  pieces: Piece[],
  options: ComposeOptions,
): Promise<void> {
  const { segment, mostParts, objects, memory, how } = options;
  if (await isCopied(key, pieces, options)) return;
  const segments = bySegment(pieces, segment);
  if (segments.length <= 1) {
    const size = pieces.reduce((sum, { length }) => sum + length, 0);
    await memory.with(size, async () => {
      await objects.put(key, await joined(objects, pieces), how);
    });
    return;
  }
  const isLong = segments.length > mostParts;
  const parts = isLong ? await inGroups(segments, options) : segments;
  await upload(key, parts, options);
}

/** Copies a single piece that is a whole object. @returns false for others, or if this S3 cannot do it */
async function isCopied(
  key: string,
  [only, ...others]: Piece[],
  { objects, how }: ComposeOptions,
): Promise<boolean> {
  if (!only || others.length > 0 || only.length !== only.size) return false;
  try {
    if (await objects.copy(only, key, how)) return true;
  } catch (error) {
    if (error instanceof S3Error && error.isUnknown) return false;
    throw error;
  }
  throw new FdsError("storage_error", "a piece is missing");
}

/** Composes each group into an object of its own. */
async function inGroups(segments: Piece[][], options: ComposeOptions): Promise<Piece[][]> {
  const groups: Piece[][] = [];
  for (let at = 0; at < segments.length; at += GROUP) {
    const some = segments.slice(at, at + GROUP);
    const key = `${options.prefix}group-${at}`;
    await upload(key, some, { ...options, how: {} });
    const head = await options.objects.head(key);
    if (!head) throw new FdsError("storage_error", "a group of segments is missing");
    const offset = some[0]?.[0]?.offset ?? 0;
    const { size, etag } = head;
    groups.push([{ key, etag, size, start: 0, offset, length: size }]);
  }
  return groups;
}

async function upload(key: string, parts: Piece[][], options: ComposeOptions): Promise<void> {
  const { objects, prefix, how } = options;
  await endUpload(objects, prefix);
  const multipart = new Multipart(objects);
  const under = await multipart.create(key, how);
  try {
    await objects.put(prefix + UPLOAD, new TextEncoder().encode(JSON.stringify(under)));
    const etags: string[] = Array.from({ length: parts.length });
    await atOnce(AT_ONCE, parts, async (pieces, n) => {
      etags[n] = await makePart(multipart, under, n + 1, pieces, options);
    });
    await multipart.complete(under, etags, how);
  } catch (error) {
    // If it cannot be ended now, it is ended together with the part. The first error is the one to report.
    await multipart.abort(under).catch(() => undefined);
    throw error;
  }
}

function makePart(
  multipart: Multipart,
  under: Upload,
  partNumber: number,
  pieces: Piece[],
  { objects, memory }: ComposeOptions,
): Promise<string> {
  const [only] = pieces;
  if (only && pieces.length === 1) return multipart.copy(under, partNumber, sourceOf(only));
  const size = pieces.reduce((sum, { length }) => sum + length, 0);
  return memory.with(size, async () =>
    multipart.put(under, partNumber, await joined(objects, pieces)),
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

/** Ends the upload that an object records as running, if there is one. */
export async function endUpload(objects: Objects, prefix: string): Promise<void> {
  const head = await objects.head(prefix + UPLOAD);
  if (!head) return;
  const bytes = await objects.get(prefix + UPLOAD, { start: 0, end: head.size }, head.etag);
  const under = uploadIn(new TextDecoder().decode(bytes));
  if (under) await new Multipart(objects).abort(under);
}

/** Whether the error means that the name is taken, perhaps by this same request, whose answer was lost. */
export function isTaken(error: unknown): boolean {
  return error instanceof S3Error && (error.status === 412 || error.status === 404);
}
