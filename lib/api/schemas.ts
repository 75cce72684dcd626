import * as z from "zod";
import { CHECKSUM_ALGORITHMS } from "../protocol/checksum.ts";
import { Md5, Sha256 } from "../protocol/digest.ts";
import { DOWNLOAD_ERROR_CODES } from "../protocol/errors.ts";
import { ClientId, FilePath } from "../protocol/messages.ts";
import { SAMPLE_LOCAL_TIME, fillDates, flawOfDates } from "../util/path-dates.ts";
import { Labels, TimeZone } from "./labels.ts";
import { anyPageLimit, pageLimit } from "./page-limit.ts";
import { Role } from "./roles.ts";
import { SavedPath } from "./saved-path.ts";
import { SelectorText } from "./selector-text.ts";
import { checkSetFields, SetFields } from "./sets.ts";

/*
 * Schemas of the REST interface. They validate requests, and the OpenAPI document is generated from them. A
 * request with an unknown field is refused.
 */

const time = z.iso.datetime().meta({ description: "ISO 8601, UTC" });
const bytes = z.int().min(0);
export const MIN_RATE_LIMIT = 1024;
export const RateLimit = z
  .int()
  .min(MIN_RATE_LIMIT)
  .meta({ description: "most bytes of the file a second" });

/** A token, enrolment key or sign-in code, made by the server. Only printable ASCII characters. */
export const Secret = z.string().regex(/^[\x21-\x7e]{1,1024}$/);

export const DEFAULT_FILE = "file_to_download.txt";

export const DownloadStatus = z
  .enum(["queued", "downloading", "verifying", "completed", "failed", "cancelled"])
  .meta({ id: "DownloadStatus" });
export type DownloadStatus = z.infer<typeof DownloadStatus>;

export const DownloadRecord = z
  .object({
    download_id: z.uuid(),
    client_id: ClientId,
    kind: z.enum(["file", "set"]),
    file_path: z.string().nullable().meta({ description: "as asked for; null for a set" }),
    resolved_path: z.string().nullable().meta({ description: "the same with its dates filled in" }),
    paths: z.array(z.string()).nullable().meta({ description: "of a set, as asked for" }),
    resolved_paths: z
      .array(z.string())
      .nullable()
      .meta({ description: "the same with their dates filled in" }),
    exclude: z.array(z.string()).nullable().meta({ description: "of a set, as asked for" }),
    unmatched_paths: z.array(z.string()).nullable().meta({ description: "that no file matches" }),
    status: DownloadStatus,
    total_size: bytes.nullable().meta({ description: "of what is to be received" }),
    files_total: z.int().min(0).nullable().meta({ description: "of a set, once it is listed" }),
    files_received: z.int().min(0).nullable(),
    files_unchanged: z.int().min(0).nullable().meta({ description: "stored already, and linked" }),
    files_skipped: z.int().min(0).nullable().meta({ description: "did not come, see /files" }),
    bytes_received: bytes,
    bytes_on_wire: bytes.meta({
      description:
        "as they came: fewer where they came compressed, more where they had to come again",
    }),
    chunk_size: bytes.nullable(),
    chunks_received: z.int().min(0),
    total_chunks: z.int().min(0).nullable(),
    percent: z.number().min(0).max(100).nullable(),
    bytes_per_second: z.number().min(0).nullable(),
    eta_seconds: z.number().min(0).nullable(),
    checksum: z
      .enum(CHECKSUM_ALGORITHMS)
      .meta({ description: "what proves that the file arrived whole" }),
    md5: Md5.nullable(),
    sha256: Sha256.nullable(),
    rate_limit: RateLimit.nullable(),
    job_id: z.uuid().nullable().meta({ description: "the job that asked for it" }),
    saved_path: SavedPath.nullable(),
    hold: z.boolean().meta({ description: "kept, whatever the rules of retention say" }),
    removed_at: time
      .nullable()
      .meta({ description: "when what came was removed; its content is gone since then" }),
    attempts: z.int().min(0),
    created_at: time,
    started_at: time.nullable(),
    completed_at: time.nullable().meta({ description: "when it ended, however it ended" }),
    error: z.string().nullable(),
    error_code: z.enum(DOWNLOAD_ERROR_CODES).nullable(),
    retried_as: z
      .uuid()
      .nullable()
      .meta({ description: "of what failed or was cancelled: the download that a retry made" }),
  })
  .meta({ id: "Download" });
export type DownloadRecord = z.infer<typeof DownloadRecord>;

export const ClientRecord = z
  .object({
    client_id: ClientId,
    connected: z.boolean(),
    connected_at: time.nullable().meta({ description: "of the last connection" }),
    last_seen_at: time.nullable(),
    remote_address: z.string().nullable(),
    hostname: z.string().nullable(),
    platform: z.string().nullable(),
    version: z.string().nullable(),
    labels: Labels,
    time_zone: TimeZone.meta({
      description: "what the server says, else what the client reports, else UTC",
    }),
    active_downloads: z.int().min(0),
    revoked_at: time.nullable().meta({ description: "its key is refused since then" }),
    problem: z
      .string()
      .nullable()
      .meta({ description: "what a person has to mend, such as two machines that use this id" }),
  })
  .meta({ id: "Client" });
export type ClientRecord = z.infer<typeof ClientRecord>;

export const Health = z
  .object({
    status: z.literal("healthy"),
    server_id: z.string().meta({ description: "another one after each start of the server" }),
    version: z.string(),
    uptime_seconds: z.number().min(0),
    connected_clients: z.int().min(0),
    active_downloads: z.int().min(0),
  })
  .meta({ id: "Health" });
export type Health = z.infer<typeof Health>;

export const Live = z.object({ status: z.literal("live") }).meta({ id: "Live" });

export const ClientList = z
  .object({
    clients: z.array(ClientRecord),
    next_cursor: z
      .string()
      .nullable()
      .optional()
      .meta({ description: "null: there are no more; not there where no limit was given" }),
  })
  .meta({ id: "ClientList" });
export type ClientList = z.infer<typeof ClientList>;

export const DownloadList = z
  .object({
    downloads: z.array(DownloadRecord),
    next_cursor: z.string().nullable().meta({ description: "null: there are no more" }),
  })
  .meta({ id: "DownloadList" });
export type DownloadList = z.infer<typeof DownloadList>;

export const DownloadAccepted = z
  .object({
    success: z.literal(true),
    download_id: z.uuid(),
    status: DownloadStatus,
    message: z.string(),
  })
  .meta({ id: "DownloadAccepted" });
export type DownloadAccepted = z.infer<typeof DownloadAccepted>;

export const ApiError = z
  .object({
    error: z.string().meta({ description: "one sentence for a person" }),
    code: z.string().meta({ description: "stable" }),
  })
  .meta({ id: "Error" });
export type ApiError = z.infer<typeof ApiError>;

/** The path of a file. Placeholders for dates, such as {date}, are filled in later. */
const DatedPath = FilePath.superRefine((path, context) => {
  const flaw = flawOfDates(path, "path");
  if (flaw !== null) context.addIssue({ code: "custom", message: flaw });
}).refine(
  (path) => FilePath.safeParse(fillDates(path, "path", SAMPLE_LOCAL_TIME)).success,
  "is too long with its dates filled in",
);

/** The fields of a request for a download, without the client. */
const orderFields = {
  file_path: DatedPath.optional().meta({
    description: `${DEFAULT_FILE} where neither it nor paths is given; {date} stands for the date at the client`,
  }),
  ...SetFields,
  if_offline: z.enum(["wait", "fail"]).default("wait"),
  checksum: z.enum(CHECKSUM_ALGORITHMS).default("md5"),
  rate_limit: RateLimit.nullable().default(null),
};

/** A request for a download like {@link NewDownload}, but without the client, as in a job. */
export const DownloadOrder = z
  .strictObject(orderFields)
  .superRefine(checkSetFields)
  .meta({ id: "DownloadOrder" });
export type DownloadOrder = z.input<typeof DownloadOrder>;

export const NewDownload = z
  .strictObject({ client_id: ClientId, ...orderFields })
  .superRefine(checkSetFields)
  .meta({ id: "NewDownload" });
export type NewDownload = z.input<typeof NewDownload>;

/** Why a session has ended. */
export const SessionEnd = z.enum(["signed_out", "expired", "revoked"]).meta({
  description:
    "signed_out: also with another session, or by another API_TOKEN of the server; revoked: the token that it was begun with",
});
export type SessionEnd = z.infer<typeof SessionEnd>;

export const Session = z
  .object({
    signed_in: z.boolean(),
    required: z.boolean().meta({ description: "false: the server has no token to sign in with" }),
    expires_at: time.nullable(),
    ended: SessionEnd.nullable().meta({
      description:
        "why the session of the cookie is good no more; null: it is good, or there is none",
    }),
    role: Role.nullable().meta({ description: "what the caller may do; null: nothing" }),
  })
  .meta({ id: "Session" });
export type Session = z.infer<typeof Session>;

/** A request to sign in, with exactly one of the two fields. */
export const NewSession = z
  .strictObject({
    token: z.string().max(1024).optional().meta({ description: "API_TOKEN, or one made with it" }),
    code: z.string().max(1024).optional().meta({ description: "of a sign-in link, good once" }),
  })
  .refine(({ token, code }) => (token === undefined) !== (code === undefined), {
    message: 'give either "token" or "code"',
  })
  .meta({ id: "NewSession" });
export type NewSession = z.input<typeof NewSession>;

export const SignInCode = z.object({ code: Secret, expires_at: time }).meta({ id: "SignInCode" });
export type SignInCode = z.infer<typeof SignInCode>;

/** The number of downloads by status. Not a z.record(), because type generators drop a record's keys. */
const Counts = z.object(
  Object.fromEntries(DownloadStatus.options.map((status) => [status, z.int().min(0)])) as Record<
    DownloadStatus,
    z.ZodInt
  >,
);

export const Totals = z
  .object({
    downloads: Counts,
    bytes_received: bytes,
    open_failures: z
      .int()
      .min(0)
      .meta({ description: "what failed, at any time, and was not retried" }),
  })
  .meta({ id: "Totals" });
export type Totals = z.infer<typeof Totals>;

export const TotalsQuery = z.strictObject({
  since: time.meta({ description: "Counts the downloads that were asked for from then on" }),
});

/** Maximum number of items on a page of downloads or of audit records; 50 by default. */
export const PageLimit = pageLimit(50);

/** The query of the list of clients. Without a limit, all clients are on one page. */
export const ClientQuery = z.strictObject({
  labels: SelectorText.optional().meta({ description: "only clients with such labels" }),
  connected: z.enum(["true", "false"]).optional(),
  limit: anyPageLimit,
  cursor: ClientId.optional(),
});

/** The query of the list of downloads. */
export const DownloadQuery = z
  .strictObject({
    status: DownloadStatus.optional(),
    client_id: ClientId.optional(),
    job_id: z.uuid().optional(),
    open: z.literal("true").optional().meta({
      description: "only what failed and was not retried: its file is still owed",
    }),
    limit: PageLimit,
    cursor: z.uuid("must be the next_cursor of an earlier answer").optional(),
  })
  .refine(({ open, status = "failed" }) => open === undefined || status === "failed", {
    path: ["open"],
    message: "only what failed is open, ask for status=failed",
  });

/** The parameters in the paths of all calls. Any text is accepted: with an invalid id, nothing is found. */
export const PathParams = z.object({
  client_id: z.string(),
  download_id: z.string(),
  job_id: z.string(),
  name: z.string().meta({ description: "of a token, an enrolment key, a schedule or a webhook" }),
  attempt_id: z.string(),
});
