import type { Objects } from "./objects.ts";

/*
 * A part in S3 is a row of objects, its pieces: full segments, and the tails that checkpoints made
 * safe before their segment was full. No piece reaches over the end of a segment.
 *
 *     <prefix>.server/parts/<download_id>/<offset>-<length>-<writer>
 *
 * Each writer, an open part of one server, has an id of its own, newer ones later in order. So a server
 * that lost a part and does not know it replaces nothing of who has it now: of two pieces that begin
 * at the same offset, the newer writer's counts.
 */

/** So many bytes are one object, once all of them came. S3 takes parts from 5 MiB on. */
export const SEGMENT = 8 * 1024 * 1024;

/** An object that holds a stretch of a part. */
export interface Piece {
  key: string;
  offset: number;
  length: number;
  etag: string;
}

const NAME = /^(\d{16})-(\d+)-([0-9a-f-]{36})$/;

/** @param writer a UUIDv7 */
export function pieceName(offset: number, length: number, writer: string): string {
  return `${String(offset).padStart(16, "0")}-${length}-${writer}`;
}

/** Parses the name of a piece; null for other names. */
export function readPieceName(
  name: string,
): { offset: number; length: number; writer: string } | null {
  const [, offset, length, writer] = NAME.exec(name) ?? [];
  if (offset === undefined || length === undefined || writer === undefined) return null;
  return { offset: Number(offset), length: Number(length), writer };
}

/** The pieces of an existing part, from its first byte on; null where there is no part. */
export async function piecesIn(objects: Objects, prefix: string): Promise<Piece[] | null> {
  const found = [];
  let isThere = false;
  for await (const { key, size, etag } of objects.list(prefix)) {
    isThere = true;
    const piece = readPieceName(key.slice(prefix.length));
    if (piece && piece.length === size) found.push({ ...piece, key, etag });
  }
  return isThere ? chainOf(found) : null;
}

/** The pieces that follow each other without a gap, from the first byte on. */
export function chainOf(pieces: (Piece & { writer: string })[]): Piece[] {
  const newest = new Map<number, Piece & { writer: string }>();
  for (const piece of pieces) {
    const other = newest.get(piece.offset);
    if (piece.length > 0 && (!other || other.writer < piece.writer)) {
      newest.set(piece.offset, piece);
    }
  }
  const chain: Piece[] = [];
  let at = 0;
  for (let piece = newest.get(at); piece; piece = newest.get(at)) {
    const { key, offset, length, etag } = piece;
    chain.push({ key, offset, length, etag });
    at += length;
  }
  return chain;
}

/**
 * The pieces of each segment.
 * @param segment its length, in bytes
 */
export function bySegment(pieces: Piece[], segment: number): Piece[][] {
  const segments: Piece[][] = [];
  for (const piece of pieces) (segments[Math.floor(piece.offset / segment)] ??= []).push(piece);
  return segments;
}
