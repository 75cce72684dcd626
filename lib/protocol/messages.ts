import * as z from "zod";
import { CHECKSUM_ALGORITHMS } from "./checksum.ts";
import { Md5, Sha256 } from "./digest.ts";
import { type ErrorCode, FdsError } from "./errors.ts";
import { FileIdentity } from "./identity.ts";
import { MAX_PATTERN_LENGTH, MAX_PATTERNS } from "./patterns.ts";
import { chunkSize, label, Probe, Probed, Register, Registered } from "./registration.ts";

export {
  ClientId,
  FEATURES,
  MAX_CHUNK_SIZE,
  MIN_CHUNK_SIZE,
  type Introduction,
  type Probe,
  type Probed,
  type Register,
  type Registered,
  SERVER_FEATURES,
} from "./registration.ts";

/*
 * The control messages: JSON text, one union for each direction. Unknown fields are ignored, so
 * that a newer side can say more; an unknown type, or a field that is not what it should be, ends
 * the connection.
 */

/** The WebSocket subprotocol, and with it the version of everything in this folder. */
export const SUBPROTOCOL = "fds.v1";

/** Most bytes of a control message; a longer one ends the connection. */
export const MAX_MESSAGE_BYTES = 64 * 1024;

/** The one way to compress a chunk; see frame.ts. */
export const ZSTD = "zstd";

/** Most files that a client may be asked for at once. */
export const MAX_STREAMS = 64;

/** Most names of a folder that one listing gives. */
export const MAX_LISTED = 1_000;

/** Most files that a set may have. */
export const MAX_SET_FILES = 100_000;

/** Most files of a set that are wanted and not yet answered. */
export const MAX_WANTED = 4_096;

/** Most characters of an error's sentence. */
export const MAX_ERROR_LENGTH = 1024;

/** Both sides ping this often, in ms. */
export const PING_INTERVAL_MS = 15_000;
/** A side that heard nothing for this long, in ms, takes the other for dead. */
export const DEAD_AFTER_MS = 45_000;

/** A path as an operator asks for it; the client alone decides what it means. */
export const FilePath = z
  .string()
  .min(1, "must not be empty")
  .max(4096, "must be at most 4096 characters")
  .refine((path) => !path.includes("\0"), "must not hold a NUL character");

const pattern = z.string().min(1).max(MAX_PATTERN_LENGTH);

/** Why a client cannot deliver a file; the other codes are the server's own. */
export const CLIENT_ERROR_CODES = [
  "file_not_found",
  "access_denied",
  "not_a_regular_file",
  "file_unreadable",
  "source_changed",
  "not_a_folder",
  "too_many_files",
  "set_too_large",
] as const satisfies ErrorCode[];

const uint32 = z.int().min(0).max(0xffff_ffff);
const byteCount = z.int().min(0);
const digest = z.union([Md5, Sha256]);
/** A path within a root, or a name in a folder; the client decides what it means. */
const name = z.string().min(1).max(4096);

/** Which attempt at which download a message is about. */
const address = { stream: uint32, epoch: uint32 };

export const ClientMessage = z.discriminatedUnion("type", [
  Register,
  Probe,
  /** The file is open. `offset` is where the frames begin: what was asked for, or 0 to start over. */
  z.object({
    type: z.literal("file_start"),
    ...address,
    identity: FileIdentity,
    total_size: byteCount,
    offset: byteCount,
    /** Why it starts over, where it does. */
    reason: label.optional(),
  }),
  /** A long re-read of the prefix is under way: the client is alive and busy. */
  z.object({ type: z.literal("proving"), ...address, offset: byteCount }),
  z
    .object({
      type: z.literal("file_complete"),
      ...address,
      identity: FileIdentity,
      total_size: byteCount,
      md5: Md5.optional(),
      sha256: Sha256.optional(),
    })
    .refine((message) => message.md5 !== undefined || message.sha256 !== undefined, {
      path: ["md5"],
      error: "the digest of the file is missing",
    }),
  /** All frames of a listing were sent. `more`: there are names after them. */
  z.object({
    type: z.literal("list_complete"),
    ...address,
    total_size: byteCount,
    more: z.boolean(),
    /** True: the folder has more names than were read. */
    truncated: z.boolean(),
  }),
  /** All frames of a set's manifest were sent; `total_size` is their bytes. */
  z.object({
    type: z.literal("set_listed"),
    ...address,
    total_size: byteCount,
    /** Indices, from 0, of patterns that no file matches. */
    unmatched: z.array(uint32).max(MAX_PATTERNS).optional(),
  }),
  z.object({
    type: z.literal("error"),
    ...address,
    code: z.enum(CLIENT_ERROR_CODES),
    message: z.string().max(MAX_ERROR_LENGTH),
  }),
]);
export type ClientMessage = z.infer<typeof ClientMessage>;
/** Messages of a client about one stream: an attempt at a download, or a listing. */
export type ClientStreamMessage = Exclude<ClientMessage, Register | Probe>;
export type FileStart = Extract<ClientMessage, { type: "file_start" }>;
export type FileComplete = Extract<ClientMessage, { type: "file_complete" }>;

export const ServerMessage = z.discriminatedUnion("type", [
  Registered,
  Probed,
  z.object({
    type: z.literal("download_request"),
    ...address,
    download_id: z.uuid(),
    file_path: FilePath,
    chunk_size: chunkSize,
    /** Bytes that are durable on the server; the frames are to begin here. */
    offset: byteCount,
    checksum: z.enum(CHECKSUM_ALGORITHMS).default("md5"),
    /** What the offer to resume rests on; there whenever `offset` is over 0. */
    resume: z
      .object({
        /** The digest of the bytes before `offset`, by the algorithm of `checksum`. */
        prefix_md5: Md5.optional(),
        prefix_sha256: Sha256.optional(),
        identity: FileIdentity,
        total_size: byteCount,
      })
      .optional(),
    max_offset: byteCount,
    /** How frames may be compressed; not at all where it is missing. */
    accepts: z.array(label).optional(),
  }),
  /** The names in a folder; without a path, the roots. */
  z.object({
    type: z.literal("list_request"),
    ...address,
    path: FilePath.optional(),
    /** The last name of the page before. */
    after: name.optional(),
    limit: z.int().min(1).max(MAX_LISTED),
    chunk_size: chunkSize,
    max_offset: byteCount,
    accepts: z.array(label).optional(),
  }),
  /** Begins a set. What it is made of comes next: patterns to be listed, or files of its manifest. */
  z.object({
    type: z.literal("set_request"),
    ...address,
    download_id: z.uuid(),
    checksum: z.enum(CHECKSUM_ALGORITHMS),
    chunk_size: chunkSize,
    max_offset: byteCount,
    accepts: z.array(label).optional(),
  }),
  /** Patterns of a set. There may be several such messages, as a message has a maximum size. */
  z.object({
    type: z.literal("set_select"),
    ...address,
    include: z.array(pattern),
    exclude: z.array(pattern),
  }),
  /** The patterns are complete: walk, and send the manifest. */
  z.object({
    type: z.literal("set_list"),
    ...address,
    /** Files changed within this time, in ms, are left for a later set. */
    min_age_ms: byteCount,
    max_files: z.int().min(1).max(MAX_SET_FILES),
    max_bytes: byteCount.optional(),
  }),
  /** Files of the manifest that are to come, in this order. */
  z.object({
    type: z.literal("set_want"),
    ...address,
    files: z.array(
      z.object({
        /** Its number in the manifest. */
        index: uint32,
        /** Path as the manifest has it, relative to the root whose number follows. */
        path: name,
        root: uint32,
        /** Bytes that are durable on the server, and their digest. */
        offset: byteCount.optional(),
        prefix: digest.optional(),
      }),
    ),
  }),
  /** Frames may reach up to `max_offset`, an absolute position (as QUIC's flow control does it). */
  z.object({ type: z.literal("credit"), ...address, max_offset: byteCount }),
  /** A chunk came damaged: send again from `offset`. */
  z.object({ type: z.literal("resend"), ...address, offset: byteCount }),
  z.object({ type: z.literal("cancel"), ...address }),
  /** The file is published; the client can forget it. */
  z.object({ type: z.literal("done"), ...address }),
]);
export type ServerMessage = z.infer<typeof ServerMessage>;
/** Messages of the server about one stream, as {@link ClientStreamMessage}. */
export type ServerStreamMessage = Exclude<ServerMessage, Registered | Probed>;
export type DownloadRequest = Extract<ServerMessage, { type: "download_request" }>;
export type ListRequest = Extract<ServerMessage, { type: "list_request" }>;
export type SetRequest = Extract<ServerMessage, { type: "set_request" }>;
export type SetWant = Extract<ServerMessage, { type: "set_want" }>;
export type WantedFile = SetWant["files"][number];

/** @throws FdsError `protocol_error` or `message_too_large` */
export function parseClientMessage(text: string): ClientMessage {
  return parse(ClientMessage, text);
}

/** @throws FdsError `protocol_error` or `message_too_large` */
export function parseServerMessage(text: string): ServerMessage {
  return parse(ServerMessage, text);
}

function parse<T>(schema: z.ZodType<T>, text: string): T {
  const size = Buffer.byteLength(text);
  if (size > MAX_MESSAGE_BYTES) {
    throw new FdsError("message_too_large", `a message of ${size} bytes is too long`);
  }
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    // Without the cause: its words repeat a part of the text, which may be a secret.
    throw new FdsError("protocol_error", "the message is not JSON");
  }
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  const issue = result.error.issues[0];
  const where = issue?.path.join(".") || "message";
  // The value is not repeated: it may be a secret.
  throw new FdsError("protocol_error", `${where}: ${issue?.message ?? "not a protocol message"}`);
}
