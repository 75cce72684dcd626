import * as z from "zod";

/*
 * The first messages of a connection, by which a client identifies itself and the server accepts it. The
 * unions in messages.ts include them.
 */

export const MIN_CHUNK_SIZE = 4 * 1024;
export const MAX_CHUNK_SIZE = 8 * 1024 * 1024;

/**
 * Optional features, which client and server announce to each other. Downloads of single files are always
 * supported and not announced.
 */
export const FEATURES = { list: "list", set: "set" } as const;

/** Features that the server announces: all of FEATURES, and `probe`, which it answers (see {@link Probe}). */
export const SERVER_FEATURES: readonly string[] = [...Object.values(FEATURES), "probe"];

/** A client's id. It is also the name of the client's folder on the server. */
export const ClientId = z
  .string()
  .regex(
    /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/,
    "must be 1 to 64 letters, digits, '.', '_' or '-', the first a letter or digit",
  );

/** Schema of a limit of the uncompressed bytes in a frame. */
export const chunkSize = z.int().min(MIN_CHUNK_SIZE).max(MAX_CHUNK_SIZE);
const secret = z.string().min(1).max(512);
/** A short text, such as a version or a host name. */
export const label = z.string().max(255);
const features = z.array(label).max(32);

/**
 * The fields by which a client identifies itself. `new_key` is to replace `key`. The server accepts the
 * client if it knows either of the two keys, because after a lost answer the client cannot know which one is
 * valid. `enroll_token` is present if the client enrols.
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
  /** Optional features of the client, see {@link FEATURES}. */
  features: features.optional(),
  /** IANA name of the site's time zone. */
  time_zone: label.optional(),
};

/** The first message of a client on a connection. */
export const Register = z.object({ type: z.literal("register"), ...introduction });
export type Register = z.infer<typeof Register>;

/** Sent instead of `register` to ask whether the client could register. It changes nothing on the server. */
export const Probe = z.object({ type: z.literal("probe"), ...introduction });
export type Probe = z.infer<typeof Probe>;

/** What a client tells about itself in `register` and in `probe`. */
export type Introduction = Omit<Register, "type">;

export const Registered = z.object({
  type: z.literal("registered"),
  client_id: ClientId,
  version: label,
  /** Whether the new key has replaced the old key, which is then no longer valid. */
  new_key_taken: z.boolean().optional(),
  features: features.optional(),
});
export type Registered = z.infer<typeof Registered>;

/** The answer to `probe` if the client may register. The server closes the connection afterwards. */
export const Probed = z.object({
  type: z.literal("probed"),
  client_id: ClientId,
  version: label,
  features: features.optional(),
  /** True if the server does not know the client's key yet, so that registering would enrol the client. */
  enrols: z.boolean(),
  /** Whether a client with this id is connected at the moment. */
  connected: z.boolean(),
});
export type Probed = z.infer<typeof Probed>;
