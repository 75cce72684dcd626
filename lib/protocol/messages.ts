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
 * The control messages, as JSON text, with one union for each direction. Unknown fields are ignored, so that
 * newer versions can add fields. An unknown type or an invalid field ends the connection.
 */

/** The WebSocket subprotocol. It names the version of everything in this folder. */
export const SUBPROTOCOL = "fds.v1";

/** Maximum number of bytes of a control message. A longer message ends the connection. */
export const MAX_MESSAGE_BYTES = 64 * 1024;

/** The only method by which frames can be compressed. */
export const ZSTD = "zstd";

/** Limit on the requests that a server may have open at one client. Each request is one stream. */
export const MAX_STREAMS = 64;

/** Maximum number of names in one page of a folder's listing. */
export const MAX_LISTED = 1_000;

/** Maximum number of files in a set. */
export const MAX_SET_FILES = 100_000;

/** Limit on the files of a set that the server has asked for and not yet received. */
export const MAX_WANTED = 4_096;

/** Maximum number of characters of an error message. */
export const MAX_ERROR_LENGTH = 1024;

/** How often each side pings the other, in ms. */
export const PING_INTERVAL_MS = 15_000;
/** A side that received nothing for this long, in ms, considers the other side dead. */
export const DEAD_AFTER_MS = 45_000;

/** A path as an operator gave it. Only the client resolves it. */
export const FilePath = z
  .string()
  .min(1, "must not be empty")
  .max(4096, "must be at most 4096 characters")
  .refine((path) => !path.includes("\0"), "must not hold a NUL character");

const pattern = z.string().min(1).max(MAX_PATTERN_LENGTH);

/** Error codes that a client may send. All other codes are used by the server only. */
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
/** A path within a root, or a name in a folder. Only the client resolves it. */
const name = z.string().min(1).max(4096);

/** The stream that a message is about, and the number (epoch) of the attempt. */
const address = { stream: uint32, epoch: uint32 };

export const ClientMessage = z.discriminatedUnion("type", [
  Register,
  Probe,
  /**
   * Sent when the client has opened the file. Frames begin at `offset`: the requested one, or 0 to start
   * over.
   */
  z.object({
    type: z.literal("file_start"),
    ...address,
    identity: FileIdentity,
    total_size: byteCount,
    offset: byteCount,
    /**
     * Why the client sends the file from its start although the server asked to resume; undefined in all
     * other cases.
     */
    reason: label.optional(),
  }),
  /**
   * Tells the server that the client is busy: `offset` is the number of bytes hashed, or of names examined,
   * so far.
   */
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
  /** Sent after all frames of a listing. `more` tells whether further names follow on another page. */
  z.object({
    type: z.literal("list_complete"),
    ...address,
    total_size: byteCount,
    more: z.boolean(),
    /** Whether the folder has more names than the client reads. */
    truncated: z.boolean(),
  }),
  /** Sent after all frames of a set's manifest. `total_size` is the manifest's size in bytes. */
  z.object({
    type: z.literal("set_listed"),
    ...address,
    total_size: byteCount,
    /** Indices, from 0, of the patterns that no file matches. */
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
    /** The number of bytes that are durable on the server. Frames shall begin at this offset. */
    offset: byteCount,
    checksum: z.enum(CHECKSUM_ALGORITHMS).default("md5"),
    /** What the client needs to check whether the download can resume. Present if `offset` is over 0. */
    resume: z
      .object({
        /** The digest of the bytes before `offset`, by the algorithm in `checksum`. */
        prefix_md5: Md5.optional(),
        prefix_sha256: Sha256.optional(),
        identity: FileIdentity,
        total_size: byteCount,
      })
      .optional(),
    max_offset: byteCount,
    /** Compressions that the server accepts for frames; none if undefined. */
    accepts: z.array(label).optional(),
  }),
  /** Asks for the names in a folder. Without a path, asks for the roots. */
  z.object({
    type: z.literal("list_request"),
    ...address,
    path: FilePath.optional(),
    /** The last name of the previous page. */
    after: name.optional(),
    limit: z.int().min(1).max(MAX_LISTED),
    chunk_size: chunkSize,
    max_offset: byteCount,
    accepts: z.array(label).optional(),
  }),
  /**
   * Begins a download of a set. Further messages give the set's patterns, or the wanted files if the server
   * already has the manifest.
   */
  z.object({
    type: z.literal("set_request"),
    ...address,
    download_id: z.uuid(),
    checksum: z.enum(CHECKSUM_ALGORITHMS),
    chunk_size: chunkSize,
    max_offset: byteCount,
    accepts: z.array(label).optional(),
  }),
  /**
   * Patterns of a set. Long lists of patterns are split over several messages, because the size of a message
   * is limited.
   */
  z.object({
    type: z.literal("set_select"),
    ...address,
    include: z.array(pattern),
    exclude: z.array(pattern),
  }),
  /**
   * Sent after all patterns of a set. Asks the client to find the matching files and to send the manifest.
   */
  z.object({
    type: z.literal("set_list"),
    ...address,
    /** Files that were changed less than this many ms ago are skipped. */
    min_age_ms: byteCount,
    max_files: z.int().min(1).max(MAX_SET_FILES),
    max_bytes: byteCount.optional(),
  }),
  /** Asks for files of the manifest, to be sent in this order. */
  z.object({
    type: z.literal("set_want"),
    ...address,
    files: z.array(
      z.object({
        /** Index of the file in the manifest. */
        index: uint32,
        /** The file's path in the manifest, relative to the root with number `root`. */
        path: name,
        root: uint32,
        /** The number of the file's bytes that are durable on the server, and the digest of these bytes. */
        offset: byteCount.optional(),
        prefix: digest.optional(),
      }),
    ),
  }),
  /** Allows frames up to the offset `max_offset` of the stream, as QUIC's flow control does. */
  z.object({ type: z.literal("credit"), ...address, max_offset: byteCount }),
  /**
   * Asks the client to send everything from `offset` on again, because the frame that begins there arrived
   * damaged.
   */
  z.object({ type: z.literal("resend"), ...address, offset: byteCount }),
  z.object({ type: z.literal("cancel"), ...address }),
  /** Tells the client that the download or listing is complete, so that the client can end the stream. */
  z.object({ type: z.literal("done"), ...address }),
]);
export type ServerMessage = z.infer<typeof ServerMessage>;
/** Messages of the server about one stream. Those of a client are {@link ClientStreamMessage}. */
export type ServerStreamMessage = Exclude<ServerMessage, Registered | Probed>;
export type DownloadRequest = Extract<ServerMessage, { type: "download_request" }>;
export type ListRequest = Extract<ServerMessage, { type: "list_request" }>;
export type SetRequest = Extract<ServerMessage, { type: "set_request" }>;
export type SetWant = Extract<ServerMessage, { type: "set_want" }>;
export type WantedFile = SetWant["files"][number];

/** Parses a control message of a client. @throws FdsError `protocol_error` or `message_too_large` */
export function parseClientMessage(text: string): ClientMessage {
  return parse(ClientMessage, text);
}

/** Parses a control message of the server. @throws FdsError `protocol_error` or `message_too_large` */
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
    // The parser's error is left out, because it quotes a part of the text, which may be a secret.
    throw new FdsError("protocol_error", "the message is not JSON");
  }
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  const issue = result.error.issues[0];
  const where = issue?.path.join(".") || "message";
  // The invalid value is left out of the message, because it may be a secret.
  throw new FdsError("protocol_error", `${where}: ${issue?.message ?? "not a protocol message"}`);
}
