import * as z from "zod";
import { ClientId, FilePath } from "../protocol/messages.ts";
import { pageLimit } from "./page-limit.ts";

/* Schemas of the listing of a client's folders in the REST interface. */

export const ClientFile = z
  .object({
    name: z.string(),
    path: z.string().meta({ description: "to list it, or to pull it" }),
    type: z.enum(["file", "folder"]),
    size: z.int().min(0).nullable().meta({ description: "bytes; null for a folder" }),
    modified_at: z.iso.datetime(),
  })
  .meta({ id: "ClientFile" });
export type ClientFile = z.infer<typeof ClientFile>;

export const ClientFileList = z
  .object({
    client_id: ClientId,
    path: z.string().nullable().meta({ description: "as asked for; null: the roots" }),
    entries: z.array(ClientFile).meta({ description: "in the order of the bytes of their names" }),
    next_cursor: z.string().nullable().meta({ description: "null: there are no more" }),
    truncated: z.boolean().meta({ description: "true: the folder has more names than were read" }),
  })
  .meta({ id: "ClientFileList" });
export type ClientFileList = z.infer<typeof ClientFileList>;

export const ClientFileQuery = z.strictObject({
  path: FilePath.optional().meta({ description: "a folder; without it, the roots" }),
  limit: pageLimit(200),
  cursor: z
    .string()
    .regex(/^[A-Za-z0-9_-]{1,8192}$/, "must be the next_cursor of an earlier answer")
    .optional(),
});
