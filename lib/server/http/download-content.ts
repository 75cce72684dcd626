import { FdsError } from "../../protocol/errors.ts";
import { type Caller, canEnd } from "../access/caller.ts";
import type { OpenCalls } from "../access/open-calls.ts";
import type { Completed } from "../download.ts";
import type { SetRows } from "../set.ts";
import type { Storage, StoredBytes } from "../storage/storage.ts";
import { contentResponse } from "./content.ts";
import { endableBody } from "./endable-body.ts";
import { openSetFile, setContentResponse } from "./set-content.ts";

/** The objects from which the content of downloads is served. */
export interface ContentSources {
  storage: Pick<Storage, "openFile">;
  sets: Pick<SetRows, "list" | "storedByPath">;
  /** Ends a running response when its caller loses access. */
  openCalls: Pick<OpenCalls, "add">;
}

/** A request for the content of a download, and its caller. */
export interface ContentRequest {
  request: Request;
  caller: Caller;
  /** Path of one file in a set, as stored in the file's row; undefined: all content is requested. */
  path: string | undefined;
}

/**
 * Returns the content of a completed download: its file, its set as a tar archive, or one file of the set.
 * @throws FdsError `not_found` if the file does not exist, or was removed or changed on the disk
 */
export async function downloadContent(
  found: Completed,
  contentRequest: ContentRequest,
  sources: ContentSources,
): Promise<Response> {
  if (found.set) return setContent(found, contentRequest, sources);
  if (contentRequest.path !== undefined) throw new FdsError("not_found", "The download is no set");
  return fileContent(found, contentRequest, sources);
}

async function fileContent(
  { checksum, digest, savedPath, source }: Completed,
  contentRequest: ContentRequest,
  { storage, openCalls }: ContentSources,
): Promise<Response> {
  if (savedPath === null) throw new Error("a file was published nowhere");
  const file = await storage.openFile(savedPath);
  if (file?.size !== source.totalSize) {
    throw new FdsError("not_found", "The file was removed or changed on the server's disk");
  }
  const content = { checksum, digest, savedPath };
  return contentResponse(
    content,
    file,
    contentRequest.request,
    bodyMaker(contentRequest, openCalls),
  );
}

async function setContent(
  found: Completed,
  contentRequest: ContentRequest,
  { storage, sets, openCalls }: ContentSources,
): Promise<Response> {
  const { request, path } = contentRequest;
  const stored = { rows: sets, storage };
  const bodyOf = bodyMaker(contentRequest, openCalls);
  if (path === undefined) {
    const { headers, body } = setContentResponse(found, request, stored);
    return new Response(body && bodyOf(body), { headers });
  }
  const { file, digest, savedPath } = await openSetFile(found, path, stored);
  return contentResponse({ checksum: found.checksum, digest, savedPath }, file, request, bodyOf);
}

/**
 * Returns a function that wraps a response body, so that the body ends when the caller loses access. If that
 * cannot happen, the function returns the body unchanged. The response to HEAD has no body to wrap.
 */
function bodyMaker({ request, caller }: ContentRequest, openCalls: Pick<OpenCalls, "add">) {
  return (bytes: StoredBytes): StoredBytes =>
    request.method === "GET" && canEnd(caller)
      ? endableBody(bytes instanceof Blob ? bytes.stream() : bytes, caller, openCalls)
      : bytes;
}
