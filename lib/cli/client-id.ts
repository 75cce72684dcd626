import { NewDownload } from "../api/schemas.ts";
import type { Kind } from "../util/kinds.ts";

/** The format of a client's id. */
export const CLIENT_ID: Kind<string> = {
  schema: NewDownload.shape.client_id,
  expected: "1 to 64 letters, digits, '.', '_' or '-', the first a letter or digit",
};
