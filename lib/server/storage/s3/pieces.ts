import type { Objects } from "./objects.ts";
import { isRecordOfRun, settleRun } from "./run.ts";

/*
 * A part of a download in S3 is a sequence of objects, its pieces. A piece is a run of full segments, or a
 * tail. A tail is the beginning or rest of a segment, stored by a checkpoint before the segment was full. No
 * tail crosses the end of a segment.
 *
 *     <prefix>.server/parts/<download_id>/<offset>-<length>-<writer>    a tail, or one segment
 *     <prefix>.server/parts/<download_id>/<offset>-run-<writer>         a run, as long as its object
 *     <prefix>.server/parts/<download_id>/cut-<length>-<writer>         older pieces end at this length
 *
 * A writer is a part opened by one server. Each writer has its own id, and ids of newer writers sort later.
 * If two pieces begin at the same offset, the piece of the newer writer counts. So a server that has not
 * noticed that another one took over the download cannot replace bytes that the new server stores.
 */

/**
 * Size of a full segment, which is one part of a run, in bytes. S3 accepts no parts below 5 MiB, except the
 * last.
 */
export const SEGMENT = 8 * 1024 * 1024;

/** A range of bytes of a part, stored in an object. */
export interface Piece {
  key: string;
  etag: string;
  /** Size of the whole object, in bytes. */
  size: number;
  /** Offset in the object at which the piece begins. */
  start: number;
  /** Offset in the part at which the piece begins. */
  offset: number;
  length: number;
}

/** The fields of a piece's object name. */
interface PieceName {
  offset: number;
  /** Length in bytes; null for a run of segments, whose length is the size of its object. */
  length: number | null;
  writer: string;
}

/** A cut of the part: pieces of older writers end at this length. */
interface Cut {
  length: number;
  writer: string;
}

const NAME = /^(\d{16})-(\d+|run)-([0-9a-f-]{36})$/;
const CUT = /^cut-(\d{16})-([0-9a-f-]{36})$/;

/** Returns the object name of a piece. `writer` must be a UUIDv7, so that newer writers sort later. */
export function pieceName({ offset, length, writer }: PieceName): string {
  return `${padded(offset)}-${length ?? "run"}-${writer}`;
}

export function cutName({ length, writer }: Cut): string {
  return `cut-${padded(length)}-${writer}`;
}

/** Whether an object name is that of a cut. */
export function isCut(name: string): boolean {
  return CUT.test(name);
}

/** Parses the object name of a piece; null for other names. */
export function readPieceName(name: string): PieceName | null {
  const [, offset, length, writer] = NAME.exec(name) ?? [];
  if (offset === undefined || length === undefined || writer === undefined) return null;
  return { offset: Number(offset), length: length === "run" ? null : Number(length), writer };
}

/**
 * Returns the pieces of an existing part, from its first byte to the first gap; null if there is no part.
 * Multipart uploads that another process left open are completed.
 */
export async function piecesIn(objects: Objects, prefix: string): Promise<Piece[] | null> {
  const listed = await Array.fromAsync(objects.list(prefix));
  const allKeys = new Set(listed.map(({ key }) => key));
  const openRuns = listed.filter(({ key }) => isRecordOfRun(key, allKeys));
  for (const record of openRuns) await settleRun(objects, record);
  if (openRuns.length > 0) return piecesIn(objects, prefix);
  const found: (Piece & { writer: string })[] = [];
  const cuts: Cut[] = [];
  for (const { key, size, etag } of listed) {
    const name = key.slice(prefix.length);
    const piece = readPieceName(name);
    const { offset = 0, length, writer = "" } = piece ?? {};
    const isWhole = piece !== null && (length ?? size) === size;
    if (isWhole) found.push({ key, etag, size, start: 0, offset, length: size, writer });
    const [, cutLength, cutWriter] = CUT.exec(name) ?? [];
    if (cutLength !== undefined && cutWriter !== undefined)
      cuts.push({ length: Number(cutLength), writer: cutWriter });
  }
  return listed.length > 0 ? chainOf(found, cuts) : null;
}

/**
 * Returns the pieces that follow each other without a gap, from the first byte on. If several pieces begin at
 * the same offset, the newest writer's is used.
 */
export function chainOf(pieces: (Piece & { writer: string })[], cuts: Cut[] = []): Piece[] {
  const newest = new Map<number, Piece & { writer: string }>();
  for (const whole of pieces) {
    const piece = { ...whole, length: lengthOf(whole, cuts) };
    const other = newest.get(piece.offset);
    if (piece.length > 0 && (!other || other.writer < piece.writer)) {
      newest.set(piece.offset, piece);
    }
  }
  const chain: Piece[] = [];
  let at = 0;
  for (let piece = newest.get(at); piece; piece = newest.get(at)) {
    const { writer: _, ...rest } = piece;
    chain.push(rest);
    at += piece.length;
  }
  return chain;
}

/**
 * Returns the length of a piece in bytes after applying the cuts by newer writers. It is negative if the
 * piece begins after the end that a cut sets.
 */
function lengthOf({ offset, length, writer }: Piece & { writer: string }, cuts: Cut[]): number {
  const newer = cuts.filter((cut) => cut.writer > writer);
  return newer.reduce((min, cut) => Math.min(min, cut.length - offset), length);
}

/**
 * Groups pieces by segment. Pieces that cover several segments are split.
 * @param segment size of a segment, in bytes
 */
export function bySegment(pieces: Piece[], segment: number): Piece[][] {
  const segments: Piece[][] = [];
  for (const { offset, length, start, ...rest } of pieces) {
    for (let at = offset; at < offset + length;) {
      const n = Math.floor(at / segment);
      const end = Math.min(offset + length, (n + 1) * segment);
      const piece = { ...rest, start: start + at - offset, offset: at, length: end - at };
      (segments[n] ??= []).push(piece);
      at = end;
    }
  }
  return segments;
}

function padded(offset: number): string {
  return String(offset).padStart(16, "0");
}
