import * as z from "zod";

/* Digests in messages, as lower-case hex. */

export const Md5 = z.string().regex(/^[0-9a-f]{32}$/);
export const Sha256 = z.string().regex(/^[0-9a-f]{64}$/);
