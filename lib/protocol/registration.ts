import * as z from "zod";

/*
 * The first words of a connection: who a client is, and whether it may register. They are a part of
 * messages.ts.
 */

export const MIN_CHUNK_SIZE = 4 * 1024;
export const MAX_CHUNK_SIZE = 8 * 1024 * 1024;

/** What a side can do beyond single files, as its `features` say. */
export const FEATURES = { list: "list", set: "set" } as const;

/** What a server can do: it also answers `probe`. */
export const SERVER_FEATURES: readonly string[] = [...Object.values(FEATURES), "probe"];

/** A client's id: also the name of its folder on the server. */
export const ClientId = z
  .string()
  .regex(
    /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/,
    "must be 1 to 64 letters, digits, '.', '_' or '-', the first a letter or digit",
  );

/** Most bytes in a frame. */
export const chunkSize = z.int().min(MIN_CHUNK_SIZE).max(MAX_CHUNK_SIZE);
const secret = z.string().min(1).max(512);
/** A short text. */
export const label = z.string().max(255);
const features = z.array(label).max(32);

/**
 * Who a client is, and what it can do. `key` is the client's own, and `new_key` the one that is to replace
 * it. Either of them proves the client: after a lost answer it does not know which one is valid. The token
 * is there when it enrols.
 */
const introduction = {
  client_id: ClientId,
  key: secret,
  new_key: secret.optional(),
  enroll_token: secret.optional(),
  version: label,
  hostname: label,
  platform: label,
  chunk_size: chunkSize,
  /** See {@link FEATURES}. */
  features: features.optional(),
  /** IANA name of the zone in which its local times are. */
  time_zone: label.optional(),
};

/** The first message. */
export const Register = z.object({ type: z.literal("register"), ...introduction });
export type Register = z.infer<typeof Register>;

/** Sent in place of `register`: asks what the answer would be, and changes nothing. */
export const Probe = z.object({ type: z.literal("probe"), ...introduction });
export type Probe = z.infer<typeof Probe>;

/** What a client says of itself in `register` and in `probe`. */
export type Introduction = Omit<Register, "type">;

export const Registered = z.object({
  type: z.literal("registered"),
  client_id: ClientId,
  version: label,
  /** True: the new key has replaced the old one, which is no longer valid. */
  new_key_taken: z.boolean().optional(),
  features: features.optional(),
});
export type Registered = z.infer<typeof Registered>;

/** The answer to `probe`: the client may register. The server closes the connection after it. */
export const Probed = z.object({
  type: z.literal("probed"),
  client_id: ClientId,
  version: label,
  features: features.optional(),
  /** True: the client would be enrolled, as the server does not know its key yet. */
  enrols: z.boolean(),
  /** A client of this id is connected now. */
  connected: z.boolean(),
});
export type Probed = z.infer<typeof Probed>;
