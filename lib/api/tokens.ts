import * as z from "zod";
import { MAX_DURATION } from "../util/durations.ts";
import { ClientId } from "../protocol/messages.ts";
import { Role } from "./roles.ts";
import { Secret } from "./schemas.ts";
import { SelectorText } from "./selector-text.ts";

/* Schemas of API tokens in the REST interface: their roles, and the sites that they may see. */

const time = z.iso.datetime();

/** Maximum number of client ids in the `sites` of one token. */
const MAX_SITES = 1000;

/**
 * Name of a token or an enrolment key. It is lower-case, so it differs from API_TOKEN, the name of the
 * server's own token.
 */
export const CredentialName = z
  .string()
  .regex(
    /^[a-z0-9][a-z0-9._-]{0,63}$/,
    "must be 1 to 64 small letters, digits, '.', '_' or '-', the first a letter or digit",
  );

/** How long a token or an enrolment key is valid, in seconds; null for no limit. */
export const Lifetime = z
  .int()
  .min(1)
  .max(MAX_DURATION / 1000)
  .nullable();

export const TokenRecord = z
  .object({
    name: CredentialName,
    role: Role,
    sites: z.array(ClientId).nullable().meta({
      description: "clients that it sees; where neither these nor labels are given: all",
    }),
    labels: SelectorText.nullable().meta({ description: "also clients with such labels" }),
    created_at: time,
    expires_at: time.nullable(),
    revoked_at: time.nullable(),
    last_used_at: time.nullable().meta({ description: "to the minute" }),
  })
  .meta({ id: "Token" });
export type TokenRecord = z.infer<typeof TokenRecord>;

export const TokenList = z.object({ tokens: z.array(TokenRecord) }).meta({ id: "TokenList" });
export type TokenList = z.infer<typeof TokenList>;

export const NewToken = z
  .strictObject({
    name: CredentialName,
    role: Role,
    sites: z.array(ClientId).min(1).max(MAX_SITES).nullable().default(null),
    labels: SelectorText.nullable().default(null).meta({
      description: "clients with such labels, at the moment of each call and event",
    }),
    expires_in_seconds: Lifetime.default(null),
  })
  .refine(({ role, sites }) => role !== "admin" || sites === null, {
    path: ["sites"],
    message: "an admin sees all sites, leave them out",
  })
  .refine(({ role, labels }) => role !== "admin" || labels === null, {
    path: ["labels"],
    message: "an admin sees all sites, leave them out",
  })
  .meta({ id: "NewToken" });
export type NewToken = z.input<typeof NewToken>;

export const IssuedToken = z
  .object({
    token: Secret.meta({ description: "the secret, told this once" }),
    record: TokenRecord,
  })
  .meta({ id: "IssuedToken" });
export type IssuedToken = z.infer<typeof IssuedToken>;
