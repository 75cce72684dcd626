import { ClientFileList, ClientFileQuery } from "../files.ts";
import { ClientChange } from "../labels.ts";
import * as schemas from "../schemas.ts";
import type { Endpoint } from "./endpoint.ts";

/** REST calls about clients. */
export const clientEndpoints = {
  listClients: {
    method: "GET",
    path: "/api/clients",
    summary: "Every client that ever registered, or those that are asked for",
    role: "viewer",
    query: schemas.ClientQuery,
    answers: [{ status: 200, description: "The clients, by id", schema: schemas.ClientList }],
    errors: [],
  },
  changeClient: {
    method: "PATCH",
    path: "/api/clients/:client_id",
    summary: "Set and remove labels of a client, or say in which time zone it is",
    role: "admin",
    audit: "client_change",
    body: ClientChange,
    answers: [{ status: 200, description: "The client", schema: schemas.ClientRecord }],
    errors: ["client_not_found", "request_too_large"],
  },
  listClientFiles: {
    method: "GET",
    path: "/api/clients/:client_id/files",
    summary: "The files and folders in a folder of a client, or its roots",
    role: "operator",
    audit: "browse",
    hasLongAnswer: true,
    query: ClientFileQuery,
    answers: [{ status: 200, description: "A page of them, by name", schema: ClientFileList }],
    errors: [
      "client_not_found",
      "client_not_connected",
      "client_outdated",
      "file_not_found",
      "access_denied",
      "not_a_folder",
      "client_timeout",
    ],
  },
  revokeClient: {
    method: "POST",
    path: "/api/clients/:client_id/revoke",
    summary: "Refuse a client's key from now on, and cut its connection; its downloads wait",
    role: "admin",
    audit: "client_revoke",
    answers: [{ status: 200, description: "The client", schema: schemas.ClientRecord }],
    errors: ["client_not_found"],
  },
} as const satisfies Record<string, Endpoint>;
